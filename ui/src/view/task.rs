//! A task in words: its state, what goes on, and what happens next.

use swarm_model::task::{TaskInput, WaitReason};
use swarm_model::{FailureClass, TaskStatus};
use swarm_proto::tasks::{Placement, Task};

use super::limits;
use super::swarm::Swarm;
use super::words::{self, Moment};
use crate::strings::shell::sentence;
use crate::strings::{limits as limit_text, task as text};

/// The sign of a state. Each has its shape, so that nothing hangs on colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Glyph {
    /// A ring.
    Queued,
    /// A half-filled ring.
    Starting,
    /// A lit lamp.
    Running,
    /// A strip of tape.
    WaitsForYou,
    /// A clock.
    Parked,
    /// A ring with a check.
    Done,
    /// A square with a cross.
    Failed,
    /// A ring with a slash.
    Cancelled,
    /// A broken ring.
    NoMatch,
}

impl Glyph {
    /// The name in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::WaitsForYou => "waits",
            Self::Parked => "parked",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NoMatch => "no-match",
        }
    }
}

/// A state: its sign and its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The sign.
    pub glyph: Glyph,
    /// The word.
    pub word: &'static str,
}

/// The state of a task.
pub fn state(task: &Task) -> State {
    let (glyph, word) = match (task.status, task.wait_reason) {
        (TaskStatus::Queued, _) if task.attempt > 0 => (Glyph::Queued, text::QUEUED_AGAIN),
        (TaskStatus::Queued, _) => (Glyph::Queued, text::QUEUED),
        (TaskStatus::Assigned, _) => (Glyph::Starting, text::STARTING),
        (TaskStatus::Running, _) if task.cancel_requested_at.is_some() => (Glyph::Running, text::ENDING),
        (TaskStatus::Running, _) => (Glyph::Running, text::RUNNING),
        (TaskStatus::Waiting, Some(WaitReason::Approval | WaitReason::Budget)) => (Glyph::WaitsForYou, text::WAITS),
        (TaskStatus::Waiting, Some(WaitReason::Quota) | None) => (Glyph::Parked, text::PARKED),
        (TaskStatus::Completed, _) => (Glyph::Done, text::DONE),
        (TaskStatus::Failed, _) => (Glyph::Failed, text::FAILED),
        (TaskStatus::Cancelled, _) => (Glyph::Cancelled, text::CANCELLED),
    };
    State { glyph, word }
}

/// Whether the task lights a slot.
pub fn is_lit(task: &Task) -> bool {
    matches!(task.status, TaskStatus::Assigned | TaskStatus::Running)
}

/// How long it ran, or has been running.
pub fn took(task: &Task, moment: Moment) -> Option<String> {
    let end = match task.status {
        TaskStatus::Running => moment.now,
        _ => task.completed_at?,
    };
    Some(words::stopwatch(end.since(task.started_at?)))
}

/// The tool that is wished for, as people write it.
pub fn tool(task: &Task) -> String {
    task.tool.as_ref().map_or_else(|| text::ANY_TOOL.to_owned(), |tool| words::tool(tool.as_str()))
}

/// What stands behind the state: how long and where, which attempt, with what.
pub fn state_line(task: &Task, machine: Option<&str>, moment: Moment) -> Vec<String> {
    let mut parts = Vec::new();
    match (took(task, moment), machine) {
        (Some(took), Some(machine)) => parts.push(text::took_on(&took, machine)),
        (Some(took), None) => parts.push(took),
        (None, Some(machine)) if task.status == TaskStatus::Assigned => parts.push(text::given_to(machine)),
        (None, _) => parts.push(text::submitted(&words::clock(task.created_at, moment))),
    }
    if task.attempt > 1 || (task.failures > 0 && task.retry.max_attempts > 1) {
        parts.push(text::attempt(task.attempt, task.failures, task.retry.max_attempts));
    }
    if let Some(progress) = task.progress.filter(|_| task.status == TaskStatus::Running) {
        parts.push(format!("{progress} %"));
    }
    parts.extend(limits::countdown(task, moment));
    parts.push(tool(task));
    parts
}

/// One line beside the title in a list: why it stands as it does, where that says more than the state.
pub fn note(task: &Task, swarm: &Swarm, moment: Moment) -> Option<String> {
    match task.status {
        TaskStatus::Queued if task.ready_at > moment.now => {
            Some(text::tries_again(&words::clock(task.ready_at, moment)))
        }
        TaskStatus::Queued => limits::held(task, swarm, moment),
        TaskStatus::Waiting => Some(waits_for(task, swarm, moment)),
        TaskStatus::Failed => {
            Some(task.failure_class.map_or_else(|| text::FAILED.to_owned(), |class| failure(class).to_owned()))
        }
        TaskStatus::Running if task.cancel_requested_at.is_some() => Some(text::CANCEL_ASKED.to_owned()),
        TaskStatus::Assigned | TaskStatus::Running | TaskStatus::Completed | TaskStatus::Cancelled => None,
    }
}

fn waits_for(task: &Task, swarm: &Swarm, moment: Moment) -> String {
    match task.wait_reason {
        Some(WaitReason::Approval) => text::WAITS_APPROVAL.to_owned(),
        Some(WaitReason::Budget) => match task.wait_until {
            Some(until) => text::waits_budget(&words::clock(until, moment)),
            None => text::WAITS_BUDGET.to_owned(),
        },
        Some(WaitReason::Quota) | None => limits::parked(task, limits::all(swarm), moment),
    }
}

/// A block that says what happens next, where nothing is going on and that needs words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The sign.
    pub glyph: Glyph,
    /// What is.
    pub head: String,
    /// Why, and what happens.
    pub body: Vec<String>,
}

/// What happens next with a task that does not run.
pub fn next(task: &Task, placement: Option<&Placement>, swarm: &Swarm, moment: Moment) -> Option<Next> {
    match task.status {
        TaskStatus::Queued => Some(next_of_queued(task, placement, swarm, moment)),
        TaskStatus::Waiting => {
            let body = match task.wait_reason {
                Some(WaitReason::Quota) | None => Some(limit_text::PARKED_ONE),
                Some(WaitReason::Budget) => Some(text::BUDGET_HINT),
                Some(WaitReason::Approval) => None,
            };
            let why = task.wait_detail.as_deref().or(task.error.as_deref());
            let body = why.map(sentence).into_iter().chain(body.map(str::to_owned)).collect();
            Some(Next { glyph: state(task).glyph, head: waits_for(task, swarm, moment), body })
        }
        TaskStatus::Failed => {
            let class = task.failure_class;
            let head = class.map_or(text::FAILED, failure).to_owned();
            let advice = class.map(|class| text::advice(class).to_owned());
            let body = task.error.as_deref().map(sentence).into_iter().chain(advice).collect();
            Some(Next { glyph: Glyph::Failed, head, body })
        }
        TaskStatus::Assigned | TaskStatus::Running | TaskStatus::Completed | TaskStatus::Cancelled => None,
    }
}

/// How many machines say why they cannot take a task; all of them do in its record.
const MOST_OBSTACLES: usize = 3;

fn next_of_queued(task: &Task, placement: Option<&Placement>, swarm: &Swarm, moment: Moment) -> Next {
    let held = limits::held(task, swarm, moment);
    let fits_nowhere = placement.is_some_and(|placement| {
        placement.candidates.iter().all(|candidate| !candidate.eligible && candidate.score.is_none())
    });
    let glyph = match &held {
        Some(_) => Glyph::Parked,
        None if fits_nowhere => Glyph::NoMatch,
        None => Glyph::Queued,
    };
    let waits = held.as_ref().map(|_| limit_text::HELD_ONE.to_owned());
    let head = if swarm.is_paused() {
        text::SWARM_PAUSED.to_owned()
    } else if task.ready_at > moment.now {
        capitalised(&text::tries_again(&words::clock(task.ready_at, moment)))
    } else if let Some(held) = held {
        held
    } else {
        placement.map_or_else(|| text::IN_QUEUE.to_owned(), |placement| capitalised(&placement.summary))
    };
    let last = task.error.as_deref().map(text::last_attempt);
    let ahead = placement.and_then(|placement| placement.ahead).filter(|ahead| *ahead > 0).map(text::ahead);
    let obstacles = placement.filter(|_| fits_nowhere).into_iter().flat_map(|placement| &placement.candidates);
    let obstacles = obstacles.filter_map(|candidate| {
        candidate.reasons.first().map(|reason| format!("{}: {reason}", candidate.machine_name))
    });
    let body = waits.into_iter().chain(last).chain(obstacles.take(MOST_OBSTACLES)).chain(ahead).collect();
    Next { glyph, head, body }
}

fn capitalised(sentence: &str) -> String {
    words::capital(sentence.trim().trim_end_matches('.'))
}

/// A class of failure in a few words.
pub fn failure(class: FailureClass) -> &'static str {
    text::failure(class)
}

/// What was asked for, as it was written.
pub fn prompt(task: &Task) -> String {
    match &task.input {
        TaskInput::Prompt { .. } => task.description.clone(),
        TaskInput::Command { argv, .. } => {
            argv.iter().map(|argument| super::submit::quoted(argument)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// What it is called in lists.
pub fn title(task: &Task) -> String {
    let title = words::title(&task.description);
    if title.is_empty() { words::title(&prompt(task)) } else { title }
}

/// Whether it can be cancelled now.
pub fn can_cancel(task: &Task) -> bool {
    !task.status.is_terminal() && task.cancel_requested_at.is_none()
}

#[cfg(test)]
mod tests {
    use swarm_proto::tasks::Candidate;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    #[test]
    fn every_status_has_its_sign() {
        let signs: Vec<_> = TaskStatus::ALL.into_iter().map(|status| state(&samples::task(1, status)).word).collect();
        assert_eq!(signs, ["Queued", "Starting", "Running", "Parked", "Done", "Failed", "Cancelled"]);
        let asked = Task { wait_reason: Some(WaitReason::Approval), ..samples::task(1, TaskStatus::Waiting) };
        assert_eq!(state(&asked).glyph, Glyph::WaitsForYou);
        let ending = Task { cancel_requested_at: Some(ago(1)), ..samples::task(1, TaskStatus::Running) };
        assert_eq!(state(&ending).word, "Ending");
        assert!(!can_cancel(&ending));
    }

    #[test]
    fn the_state_line_says_how_long_where_and_with_what() {
        let running = Task { attempt: 2, failures: 1, progress: Some(40), ..samples::task(1, TaskStatus::Running) };
        assert_eq!(
            state_line(&running, Some("workbench"), MOMENT),
            ["6:41 on workbench", "attempt 2, 1 of 3 failures", "40 %", "Claude Code"]
        );
        let done = samples::task(1, TaskStatus::Completed);
        assert_eq!(state_line(&done, None, MOMENT), ["5:41", "Claude Code"]);
        let queued = samples::task(1, TaskStatus::Queued);
        assert_eq!(state_line(&queued, None, MOMENT), ["submitted 15:21", "Claude Code"]);
    }

    fn swarm(paused: bool) -> Swarm {
        let mut swarm = Swarm::default();
        swarm.status = Some(swarm_proto::status::SwarmStatus { paused, ..samples::status() });
        swarm
    }

    fn placement(eligible: bool) -> Placement {
        Placement {
            summary: "no worker has claude-code.".to_owned(),
            ahead: Some(2),
            candidates: vec![Candidate {
                worker_id: samples::worker("attic").worker_id,
                machine_name: "attic".to_owned(),
                eligible,
                score: None,
                reasons: vec!["it has no claude-code".to_owned()],
            }],
        }
    }

    #[test]
    fn a_queued_task_says_why_it_does_not_run() {
        let task = samples::task(1, TaskStatus::Queued);
        let why = next(&task, Some(&placement(false)), &swarm(false), MOMENT).unwrap();
        assert_eq!((why.glyph, why.head.as_str()), (Glyph::NoMatch, "No worker has claude-code"));
        assert_eq!(why.body, ["attic: it has no claude-code", "2 tasks come before it."]);
        assert_eq!(next(&task, Some(&placement(true)), &swarm(false), MOMENT).unwrap().glyph, Glyph::Queued);
        assert_eq!(next(&task, None, &swarm(true), MOMENT).unwrap().head, "Hand-out is paused; nothing new starts");
        let backing_off = Task {
            ready_at: MOMENT.now + std::time::Duration::from_secs(120),
            error: Some("exit 1".to_owned()),
            ..task
        };
        let why = next(&backing_off, None, &swarm(false), MOMENT).unwrap();
        assert_eq!(
            (why.head.as_str(), why.body.as_slice()),
            ("Tries again at 15:33", ["The last attempt: exit 1".to_owned()].as_slice())
        );
    }

    #[test]
    fn a_limit_of_the_account_is_nobodys_fault() {
        let parked = Task {
            wait_reason: Some(WaitReason::Quota),
            wait_until: Some(MOMENT.now + std::time::Duration::from_secs(3540)),
            ..samples::task(1, TaskStatus::Waiting)
        };
        let why = next(&parked, None, &swarm(false), MOMENT).unwrap();
        assert_eq!(why.head, "Parked until 16:30: used-up allowance");
        assert_eq!(why.body, [limit_text::PARKED_ONE]);
        assert_eq!(state_line(&parked, None, MOMENT)[1], "goes on in 59 min 00 s");
        assert_eq!(note(&parked, &swarm(false), MOMENT), Some(why.head));
    }

    #[test]
    fn a_budget_that_is_used_up_asks_for_a_person() {
        let waits = Task { wait_reason: Some(WaitReason::Budget), ..samples::task(1, TaskStatus::Waiting) };
        let why = next(&waits, None, &swarm(false), MOMENT).unwrap();
        assert_eq!((why.glyph, why.head.as_str()), (Glyph::WaitsForYou, "Waits until its budget is raised"));
        assert_eq!(why.body, [text::BUDGET_HINT]);
        let of_a_day = Task { wait_until: Some(MOMENT.now + std::time::Duration::from_secs(3540)), ..waits };
        let said = note(&of_a_day, &swarm(false), MOMENT);
        assert_eq!(said.as_deref(), Some("Waits for its budget: it begins anew at 16:30, or once it is raised"));
    }

    #[test]
    fn every_failure_has_a_cause_and_an_advice() {
        for class in FailureClass::ALL {
            let failed = Task {
                failure_class: Some(class),
                error: Some("it broke".to_owned()),
                ..samples::task(1, TaskStatus::Failed)
            };
            let why = next(&failed, None, &swarm(false), MOMENT).unwrap();
            assert!(!why.head.is_empty() && why.body.len() == 2, "{class}");
            assert_eq!(note(&failed, &swarm(false), MOMENT).as_deref(), Some(failure(class)));
        }
    }

    #[test]
    fn a_command_is_called_by_its_line() {
        let argv = ["sh", "-c", "echo 'a b'"].map(str::to_owned).into();
        let task = Task {
            description: String::new(),
            input: TaskInput::Command { argv, stdin: None, env: Default::default() },
            ..samples::task(1, TaskStatus::Queued)
        };
        assert_eq!(title(&task), r#"sh -c "echo 'a b'""#);
    }
}
