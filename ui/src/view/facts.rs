//! The column beside a task's log: its facts and its attempts.

use swarm_model::change::{AttemptOutcome, AttemptStatus};
use swarm_model::task::{CostKind, Queue, RunRecord, Usage};
use swarm_proto::tasks::{Attempt, Task};

use super::task::{self, Glyph};
use super::words::{self, Moment};
use crate::strings::task as text;

/// A name and its value.
pub type Fact = (&'static str, String);

/// The facts of a task.
pub fn facts(
    task: &Task,
    attempts: &[Attempt],
    machine: impl Fn(swarm_model::WorkerId) -> String,
    moment: Moment,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let last = attempts.last();
    let record = last.and_then(|attempt| attempt.record.as_ref());
    facts.push((text::WORKER, worker(task, &machine)));
    facts.push((text::TOOL, tool(task, last, record)));
    if let Some(model) = record.and_then(|record| record.model.clone()).or_else(|| task.model.clone()) {
        facts.push((text::MODEL, model));
    }
    wishes(task, &mut facts);
    facts.push((text::PRIORITY, text::priority(task.priority.get())));
    if let Some(limits) = limits(task) {
        facts.push((text::LIMITS, limits));
    }
    if let Some(used) = used(task, attempts) {
        facts.push((text::USED, used));
    }
    if let Some(code) = record.and_then(|record| record.exit_code) {
        facts.push((text::EXIT_CODE, code.to_string()));
    }
    facts.push((text::SUBMITTED, words::clock(task.created_at, moment)));
    if let Some(ended) = task.completed_at {
        facts.push((text::ENDED, words::clock(ended, moment)));
    }
    facts
}

/// What was wished for beyond a tool and a model, and what came of the entries of a list so far.
fn wishes(task: &Task, facts: &mut Vec<Fact>) {
    let name = |tool: &str, model: Option<&str>| match model {
        Some(model) => format!("{} {model}", words::tool(tool)),
        None => words::tool(tool),
    };
    if !task.cascade.is_empty() {
        let role = task.role.map(|role| words::capital(role.as_str()));
        let names = task.cascade.iter().map(|entry| name(entry.tool.as_str(), entry.model.as_deref()));
        facts.push((text::MODELS, text::cascade(role.as_deref(), &names.collect::<Vec<_>>())));
    }
    for tried in &task.tries {
        let class = tried.class.map_or(text::PASSED_OVER, task::failure);
        let name = name(tried.tool.as_str(), tried.model.as_deref());
        facts.push((text::TRIED, text::tried(&name, &class.to_lowercase(), &tried.error)));
    }
    if let Some(repository) = &task.repository {
        facts.push((text::REPOSITORY, text::repository(&repository.url, repository.base.as_deref())));
    }
    if let Some(level) = task.requirements.isolation {
        facts.push((text::ISOLATION, text::at_least(level.as_str())));
    }
    if let Some(hosts) = &task.network {
        let hosts = if hosts.is_empty() { text::ONLY_ITS_MODEL.to_owned() } else { hosts.join(", ") };
        facts.push((text::NETWORK, hosts));
    }
}

fn worker(task: &Task, machine: &impl Fn(swarm_model::WorkerId) -> String) -> String {
    match (task.worker_id, task.queue) {
        (Some(worker), _) => machine(worker),
        (None, Queue::Worker { worker_id }) => text::only_on(&machine(worker_id)),
        (None, Queue::User) => text::ANY_OF_YOURS.to_owned(),
        (None, Queue::Global) => text::ANY_SHARED.to_owned(),
    }
}

fn tool(task: &Task, attempt: Option<&Attempt>, record: Option<&RunRecord>) -> String {
    let name = attempt.map_or_else(|| task::tool(task), |attempt| words::tool(attempt.tool.as_str()));
    match record.and_then(|record| record.tool_version.as_deref()) {
        Some(version) => format!("{name} {version}"),
        None => name,
    }
}

fn limits(task: &Task) -> Option<String> {
    let limits = &task.limits;
    let span = |ms: u64| words::spoken(std::time::Duration::from_millis(ms));
    let parts: Vec<_> = [
        limits.wall_clock_ms.map(span),
        limits.silence_ms.map(|ms| text::silent_for(&span(ms))),
        limits.queue_wait_ms.map(|ms| text::queued_for(&span(ms))),
        limits.output_bytes.map(words::bytes),
        limits.tokens.map(text::tokens),
        limits.cost_microusd.map(words::money),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What all attempts used together. Unknown is said, never counted as nothing.
fn used(task: &Task, attempts: &[Attempt]) -> Option<String> {
    let records: Vec<&Usage> =
        attempts.iter().filter_map(|attempt| attempt.record.as_ref()).map(|r| &r.usage).collect();
    let usages = if records.is_empty() { task.result.iter().map(|result| &result.usage).collect() } else { records };
    if usages.is_empty() {
        return None;
    }
    let n_tokens: u64 = usages.iter().flat_map(|usage| [usage.input_tokens, usage.output_tokens]).flatten().sum();
    let cost: u64 = usages.iter().filter_map(|usage| usage.cost_microusd).sum();
    let is_free = usages.iter().all(|usage| usage.cost_kind == CostKind::None);
    let is_known = usages.iter().any(|usage| usage.cost_microusd.is_some());
    let tokens = (n_tokens > 0).then(|| text::tokens(n_tokens));
    let cost = if is_known {
        Some(words::money(cost))
    } else if is_free {
        Some(text::COSTS_NOTHING.to_owned())
    } else if n_tokens > 0 {
        Some(text::COST_UNKNOWN.to_owned())
    } else {
        None
    };
    let parts: Vec<_> = tokens.into_iter().chain(cost).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// An attempt in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLine {
    /// Its count.
    pub attempt: u32,
    /// Its sign.
    pub glyph: Glyph,
    /// Where, and how it ended.
    pub words: String,
    /// How long it ran.
    pub took: String,
}

/// An attempt in a line.
pub fn attempt_line(attempt: &Attempt, machine: &str, moment: Moment) -> AttemptLine {
    let class = attempt.failure_class.map(task::failure);
    let (glyph, how) = match attempt.status {
        AttemptStatus::Assigned => (Glyph::Starting, text::GIVEN),
        AttemptStatus::Running => (Glyph::Running, ""),
        AttemptStatus::Completed => (Glyph::Done, ""),
        AttemptStatus::Failed if attempt.outcome == Some(AttemptOutcome::Parked) => {
            (Glyph::Parked, class.unwrap_or(text::PARKED))
        }
        AttemptStatus::Failed => (Glyph::Failed, class.unwrap_or(text::FAILED)),
        AttemptStatus::Refused => (Glyph::NoMatch, text::REFUSED),
        AttemptStatus::Lost => (Glyph::Failed, text::LOST_CONTACT),
        AttemptStatus::Cancelled => (Glyph::Cancelled, text::CANCELLED),
    };
    let how = match (attempt.status, attempt.error.as_deref()) {
        (AttemptStatus::Refused, Some(reason)) => reason.to_owned(),
        (AttemptStatus::Running, _) => {
            attempt.started_at.map(|at| text::since(&words::clock(at, moment))).unwrap_or_default()
        }
        _ => how.to_lowercase(),
    };
    let late = if attempt.has_late_result { text::LATE_RESULT } else { "" };
    let words = [machine, &how, late].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let end = attempt.ended_at.unwrap_or(moment.now);
    let took = attempt.started_at.map(|start| words::stopwatch(end.since(start))).unwrap_or_default();
    AttemptLine { attempt: attempt.attempt, glyph, words, took }
}

#[cfg(test)]
mod tests {
    use swarm_model::FailureClass;
    use swarm_model::task::Limits;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago, attempt};
    use swarm_model::TaskStatus;

    fn name(_: swarm_model::WorkerId) -> String {
        "workbench".to_owned()
    }

    #[test]
    fn an_attempt_says_in_a_line_where_it_ran_and_how_it_ended() {
        let lost = Attempt { ended_at: Some(ago(300)), has_late_result: true, ..attempt(1, AttemptStatus::Lost) };
        let failed = Attempt {
            failure_class: Some(FailureClass::TimedOut),
            ended_at: Some(ago(209)),
            ..attempt(2, AttemptStatus::Failed)
        };
        let lines = [attempt(3, AttemptStatus::Running), failed, lost]
            .map(|attempt| attempt_line(&attempt, &name(attempt.worker_id), MOMENT));
        let lines: Vec<_> = lines.iter().map(|line| (line.attempt, line.words.as_str(), line.took.as_str())).collect();
        assert_eq!(
            lines,
            [
                (3, "workbench, since 15:24", "6:41"),
                (2, "workbench, timed out", "3:12"),
                (1, "workbench, lost contact, a result came too late and is kept", "1:41"),
            ]
        );
    }

    fn with_usage(usage: Usage) -> Attempt {
        let record = RunRecord { tool_version: Some("2.1.4".to_owned()), usage, ..RunRecord::default() };
        Attempt { record: Some(record), ..attempt(1, AttemptStatus::Completed) }
    }

    fn fact<'a>(facts: &'a [Fact], name: &str) -> Option<&'a str> {
        facts.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn an_unknown_cost_is_said() {
        let task = samples::task(1, TaskStatus::Completed);
        let used = |usage| fact(&facts(&task, &[with_usage(usage)], name, MOMENT), "Used").map(str::to_owned);
        let tokens = Usage { input_tokens: Some(160_000), output_tokens: Some(5_000), ..Usage::default() };
        assert_eq!(used(tokens.clone()).as_deref(), Some("165 k tokens, cost unknown"));
        assert_eq!(used(Usage { cost_microusd: Some(310_000), ..tokens }).as_deref(), Some("165 k tokens, $0.31"));
        assert_eq!(used(Usage { cost_kind: CostKind::None, ..Usage::default() }).as_deref(), Some("no cost"));
        assert_eq!(used(Usage::default()), None);
    }

    #[test]
    fn the_facts_name_what_really_ran() {
        let task = samples::task(1, TaskStatus::Completed);
        let facts = facts(&task, &[with_usage(Usage::default())], name, MOMENT);
        assert_eq!(fact(&facts, "Tool"), Some("Claude Code 2.1.4"));
        assert_eq!(fact(&facts, "Worker"), Some("workbench"));
        assert_eq!(fact(&facts, "Limits"), None);
    }

    #[test]
    fn a_list_of_models_says_what_came_of_each() {
        let task = Task {
            role: Some(swarm_model::Role::Coder),
            cascade: vec!["codex".parse().unwrap(), "ollama:qwen3:8b".parse().unwrap()],
            tries: vec![
                serde_json::from_value(serde_json::json!({
                    "tool": "codex", "attempt": 1, "class": "context_overflow", "error": "the prompt is too long",
                }))
                .unwrap(),
            ],
            network: Some(Vec::new()),
            ..samples::task(1, TaskStatus::Running)
        };
        let facts = facts(&task, &[], name, MOMENT);
        assert_eq!(fact(&facts, "Models"), Some("Coder: Codex, then Ollama qwen3:8b"));
        let tried = fact(&facts, "Tried").unwrap();
        assert!(tried.starts_with("Codex: ") && tried.ends_with("; the prompt is too long"), "{tried}");
        assert_eq!(fact(&facts, "Network"), Some("nothing but its own model"));
        assert_eq!(fact(&facts, "Repository"), None);
    }

    #[test]
    fn limits_are_read_out() {
        let limits = Limits { wall_clock_ms: Some(1_800_000), cost_microusd: Some(2_000_000), ..Limits::default() };
        let task = Task { limits, ..samples::task(1, TaskStatus::Queued) };
        assert_eq!(super::limits(&task).as_deref(), Some("30 minutes, $2.00"));
        assert_eq!(fact(&facts(&task, &[], name, MOMENT), "Worker"), Some("any of yours"));
    }
}
