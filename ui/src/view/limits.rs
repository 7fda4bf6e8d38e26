//! Limits of accounts in words: what is parked by which, until when, and what else it holds up.
//!
//! A limit is the coordinator's to begin and to end. Once its time is over one run finds out, so that until then
//! nothing here says that it is gone.

use swarm_model::task::WaitReason;
use swarm_model::{FailureClass, TaskStatus, ToolName, WorkerId, WorkerStatus};
use swarm_proto::status::AccountLimit;
use swarm_proto::tasks::Task;

use super::swarm::Swarm;
use super::words::{self, Moment};
use crate::strings::limits as text;
use crate::strings::shell::sentence;

/// The limits that stand now.
pub fn all(swarm: &Swarm) -> &[AccountLimit] {
    swarm.status.as_ref().map(|status| status.limits.as_slice()).unwrap_or_default()
}

/// The limit that a tool of a machine is at. A machine has a tool on one account.
pub fn of_tool<'a>(
    limits: &'a [AccountLimit],
    worker: WorkerId,
    tool: &ToolName,
    account: Option<&str>,
) -> Option<&'a AccountLimit> {
    limits.iter().find(|limit| {
        limit.workers.contains(&worker) && limit.tools.contains(tool) && account == Some(limit.account.as_str())
    })
}

/// The limit that a parked task waits for.
fn of_parked<'a>(task: &Task, limits: &'a [AccountLimit]) -> Option<&'a AccountLimit> {
    let fits = |limit: &&AccountLimit| {
        task.worker_id.is_none_or(|worker| limit.workers.contains(&worker))
            && task.tool.as_ref().is_none_or(|tool| limit.tools.contains(tool))
    };
    let same_end = limits.iter().filter(fits).find(|limit| task.wait_until == Some(limit.until));
    same_end.or_else(|| limits.iter().find(fits))
}

/// Which limit it is, in a few words: as its provider's words tell, else by its class.
pub fn kind(class: Option<FailureClass>, detail: &str) -> &'static str {
    let detail = detail.to_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| detail.contains(needle));
    if says(&["five_hour", "five-hour", "five hour", "5-hour", "5 hour", "5h", "session limit"]) {
        text::FIVE_HOURS
    } else if says(&["seven_day", "weekly", "per week", "7-day"]) {
        text::WEEK
    } else if says(&["perday", "per day", "daily"]) {
        text::DAY
    } else if says(&["perminute", "per minute"]) {
        text::MINUTE
    } else {
        text::kind(class.unwrap_or(FailureClass::Quota))
    }
}

fn what(limit: &AccountLimit) -> String {
    text::on_account(kind(Some(limit.class), &limit.detail), &limit.account)
}

/// "at a limit until 16:20: five-hour limit on account X".
pub fn in_words(limit: &AccountLimit, moment: Moment) -> String {
    if limit.until > moment.now {
        text::at_limit_until(&words::clock(limit.until, moment), &what(limit))
    } else {
        text::at_limit(&what(limit))
    }
}

/// Whether a task waits for the limit of an account.
pub fn is_parked(task: &Task) -> bool {
    task.status == TaskStatus::Waiting && matches!(task.wait_reason, Some(WaitReason::Quota) | None)
}

/// "Parked until 16:20: five-hour limit on account X".
pub fn parked(task: &Task, limits: &[AccountLimit], moment: Moment) -> String {
    let what = of_parked(task, limits)
        .map_or_else(|| kind(task.failure_class, task.error.as_deref().unwrap_or_default()).to_owned(), what);
    match task.wait_until {
        Some(until) => text::parked_until(&words::clock(until, moment), &what),
        None => text::parked(&what),
    }
}

/// How long a task still waits: "goes on in 12 min 05 s".
pub fn countdown(task: &Task, moment: Moment) -> Option<String> {
    let until = task.wait_until.filter(|_| task.status == TaskStatus::Waiting)?;
    Some(words::left(until, moment).map_or_else(|| text::ANY_MOMENT.to_owned(), |left| text::goes_on_in(&left)))
}

/// What holds a queued task up, where every connected machine that could do it has its tool on an account at a limit:
/// "Held until 16:20: five-hour limit on account X".
pub fn held(task: &Task, swarm: &Swarm, moment: Moment) -> Option<String> {
    let limits = all(swarm);
    let tool = task.tool.as_ref().filter(|_| task.status == TaskStatus::Queued && !limits.is_empty())?;
    let ways = swarm.workers.iter().flatten().filter(|worker| worker.status != WorkerStatus::Offline);
    let ways = ways.flat_map(|worker| worker.capabilities.tools.iter().map(move |info| (worker.worker_id, info)));
    let mut first: Option<&AccountLimit> = None;
    for (worker, info) in ways.filter(|(_, info)| info.name == *tool && info.health.is_ready()) {
        let account = info.account.as_ref().map(|account| account.label.as_str());
        let limit = of_tool(limits, worker, tool, account).filter(|limit| limit.until > moment.now)?;
        first = first.filter(|first| first.until <= limit.until).or(Some(limit));
    }
    first.map(|limit| text::held_until(&words::clock(limit.until, moment), &what(limit)))
}

/// A limit as a row of the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which tools with which account.
    pub who: String,
    /// Until when, and how long that still is.
    pub until: String,
    /// What the provider said.
    pub why: String,
}

/// The limits of accounts, the one first that ends first.
pub fn lines(limits: &[AccountLimit], moment: Moment) -> Vec<Line> {
    let mut limits: Vec<_> = limits.iter().collect();
    limits.sort_by_key(|limit| limit.until);
    let line = |limit: &AccountLimit| {
        let tools: Vec<_> = limit.tools.iter().map(|tool| words::tool(tool.as_str())).collect();
        let until = words::left(limit.until, moment)
            .map_or_else(|| text::FINDS_OUT.to_owned(), |left| text::until(&words::clock(limit.until, moment), &left));
        Line {
            who: text::with(&tools.join(", "), &limit.account),
            until: words::capital(&until),
            why: sentence(&limit.detail),
        }
    };
    limits.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_model::tool::{Account, ToolHealth, ToolInfo};
    use swarm_proto::status::SwarmStatus;
    use swarm_proto::workers::Worker;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    fn limit() -> AccountLimit {
        AccountLimit {
            account: "key ...a1b2".to_owned(),
            tools: vec!["claude-code".parse().unwrap(), "anthropic-api".parse().unwrap()],
            workers: vec![samples::worker("workbench").worker_id],
            class: FailureClass::Quota,
            detail: "answered 429: usage limit reached (limit five_hour)".to_owned(),
            since: ago(60),
            until: MOMENT.now + Duration::from_secs(725),
        }
    }

    fn parked() -> Task {
        Task {
            wait_reason: Some(WaitReason::Quota),
            wait_until: Some(limit().until),
            worker_id: Some(samples::worker("workbench").worker_id),
            ..samples::task(1, TaskStatus::Waiting)
        }
    }

    #[test]
    fn a_parked_task_says_until_when_by_which_limit_and_how_long() {
        let task = parked();
        assert_eq!(
            super::parked(&task, &[limit()], MOMENT),
            "Parked until 15:43: five-hour limit on account key ...a1b2"
        );
        assert_eq!(countdown(&task, MOMENT).as_deref(), Some("goes on in 12 min 05 s"));
        let over = Task { wait_until: Some(ago(1)), ..task.clone() };
        assert_eq!(countdown(&over, MOMENT).as_deref(), Some("goes on at any moment"));
        // Of an account that nobody told, only the kind is known.
        let untold = Task { failure_class: Some(FailureClass::RateLimited), wait_until: None, ..task };
        assert_eq!(super::parked(&untold, &[], MOMENT), "Parked: rate limit");
    }

    #[test]
    fn another_machines_limit_is_not_taken_for_ones_own() {
        let elsewhere = AccountLimit { workers: vec![samples::worker("attic").worker_id], ..limit() };
        assert_eq!(super::parked(&parked(), &[elsewhere], MOMENT), "Parked until 15:43: used-up allowance");
    }

    #[test]
    fn the_kind_is_read_from_the_providers_words() {
        for (words, said) in [
            ("You've hit your session limit", text::FIVE_HOURS),
            ("weekly limit reached", text::WEEK),
            ("quota (limit GenerateRequestsPerDayPerProjectPerModel-FreeTier)", text::DAY),
            ("tokens per minute", text::MINUTE),
            ("no credit", "used-up allowance"),
        ] {
            assert_eq!(kind(None, words), said, "{words}");
        }
        assert_eq!(kind(Some(FailureClass::RateLimited), "slow down"), "rate limit");
    }

    fn swarm(limits: Vec<AccountLimit>, accounts: &[&str]) -> Swarm {
        let tool = |label: &&str| ToolInfo {
            account: Some(Account { id: "x".to_owned(), label: (*label).to_owned() }),
            ..samples::tool("claude-code", ToolHealth::Ready)
        };
        let worker = |(name, label): (&&str, &&str)| {
            let mut worker = samples::worker(name);
            worker.capabilities.tools.push(tool(label));
            worker
        };
        let workers: Vec<Worker> = ["workbench", "attic"].iter().zip(accounts).map(worker).collect();
        let mut swarm = Swarm::default();
        swarm.learn_workers(workers);
        swarm.status = Some(SwarmStatus { limits, ..samples::status() });
        swarm
    }

    #[test]
    fn what_waits_in_the_queue_for_a_limit_says_so_unless_another_account_can_do_it() {
        let queued = samples::task(2, TaskStatus::Queued);
        let held = |swarm: &Swarm| super::held(&queued, swarm, MOMENT);
        let said = "Held until 15:43: five-hour limit on account key ...a1b2";
        assert_eq!(held(&swarm(vec![limit()], &["key ...a1b2"])).as_deref(), Some(said));
        assert_eq!(held(&swarm(vec![limit()], &["key ...a1b2", "ann"])), None);
        assert_eq!(held(&swarm(Vec::new(), &["key ...a1b2"])), None);
        let over = AccountLimit { until: ago(1), ..limit() };
        assert_eq!(held(&swarm(vec![over], &["key ...a1b2"])), None);
    }

    #[test]
    fn the_first_page_says_which_limits_stand() {
        let over = AccountLimit { until: ago(5), ..limit() };
        let told: Vec<_> = lines(&[limit(), over], MOMENT).into_iter().map(|line| line.until).collect();
        assert_eq!(told, ["The next run finds out whether it is over", "Until 15:43, in 12 min 05 s"]);
        let line = lines(&[limit()], MOMENT).remove(0);
        assert_eq!(line.who, "Claude Code, Claude API with key ...a1b2");
        assert_eq!(line.why, "Answered 429: usage limit reached (limit five_hour).");
        assert_eq!(in_words(&limit(), MOMENT), "at a limit until 15:43: five-hour limit on account key ...a1b2");
    }
}
