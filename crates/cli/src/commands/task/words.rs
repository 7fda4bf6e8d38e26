//! Tasks as people read them.

use std::collections::HashMap;

use swarm_client::Client;
use swarm_model::task::{CostKind, TaskInput, Usage, WaitReason};
use swarm_model::{FailureClass, ModelChoice, TaskStatus, Timestamp, WorkerId};
use swarm_proto::Page;
use swarm_proto::tasks::{Candidate, Placement, Task};

use super::record;
use crate::output::Output;
use crate::output::table::{Facts, Table, styled};
use crate::readable::{BOLD, DIM, ERROR, GOOD, NORMAL, WARN, ago, bytes, cut, dollars, plain, span, task_style, until};

/// Characters of a state in a list.
const STATE: usize = 60;
/// Characters of a prompt in a list.
const PROMPT: usize = 60;

/// Names of the workers that the asker may see.
pub(super) type Machines = HashMap<WorkerId, String>;

/// The machines that had a task, by name. A list of facts does without.
pub(super) async fn machines(client: &Client, task: &Task, output: Output) -> Machines {
    if output.is_json() || task.worker_id.is_none() {
        return Machines::new();
    }
    let seen = client.workers().await.map(|page| page.items).unwrap_or_default();
    seen.into_iter().map(|worker| (worker.worker_id, plain(&worker.machine_name))).collect()
}

/// The name of a machine, or the end of its id where the asker may not see it any more.
fn machine(machines: &Machines, worker: WorkerId) -> String {
    let end = || worker.to_string().chars().skip(28).collect();
    machines.get(&worker).cloned().unwrap_or_else(end)
}

/// The state with what belongs to it now.
fn state(task: &Task, now: Timestamp) -> String {
    match task.status {
        TaskStatus::Queued if task.ready_at > now => format!("queued, again {}", until(now, task.ready_at)),
        TaskStatus::Running if task.cancel_requested_at.is_some() => "ending".to_owned(),
        TaskStatus::Running => match task.progress {
            Some(percent) => format!("running {percent} %"),
            None => "running".to_owned(),
        },
        TaskStatus::Waiting => match task.wait_reason {
            Some(WaitReason::Quota) => match task.wait_until {
                Some(then) => format!("parked, again {}", until(now, then)),
                None => "parked".to_owned(),
            },
            Some(reason @ (WaitReason::Approval | WaitReason::Budget)) => match &task.wait_detail {
                Some(detail) => format!("waiting: {}", plain(detail)),
                None => format!("waiting for {}", reason.as_str()),
            },
            None => "waiting".to_owned(),
        },
        TaskStatus::Failed => match task.failure_class {
            Some(class) => format!("failed: {}", class.as_str().replace('_', " ")),
            None => "failed".to_owned(),
        },
        TaskStatus::Queued | TaskStatus::Assigned | TaskStatus::Completed | TaskStatus::Cancelled => {
            task.status.as_str().to_owned()
        }
    }
}

/// How long it has run, or ran.
fn time_taken(task: &Task, now: Timestamp) -> Option<String> {
    let started = task.started_at?;
    Some(span(task.completed_at.unwrap_or(now).since(started)))
}

pub(super) fn list(page: &Page<Task>, is_filtered: bool, now: Timestamp) -> String {
    let mut table = Table::new(&["TASK", "STATE", "TOOL", "TOOK", "SUBMITTED", "PROMPT"]).numbers(0);
    for task in &page.items {
        table.row([
            styled(format!("#{}", task.number), BOLD),
            styled(cut(&state(task, now), STATE), task_style(task.status)),
            styled(task.tool.as_ref().map_or("any", |tool| tool.as_str()), NORMAL),
            styled(time_taken(task, now).unwrap_or_else(|| "-".to_owned()), NORMAL),
            styled(ago(now, task.created_at), DIM),
            styled(cut(&task.description, PROMPT), NORMAL),
        ]);
    }
    table.or(if is_filtered { "no such tasks" } else { "no tasks yet: `garageswarm task submit PROMPT`" })
}

pub(super) fn submitted(task: &Task) -> String {
    let number = task.number;
    match task.status {
        TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => {
            format!("task #{number} was submitted before and is {}", task.status)
        }
        _ => match &task.wait_detail {
            Some(detail) => format!("task #{number} is submitted and waits: {}", plain(detail)),
            None => format!("task #{number} is submitted"),
        },
    }
}

pub(super) fn cancelled(task: &Task) -> String {
    let number = task.number;
    match task.status {
        TaskStatus::Cancelled => format!("task #{number} is cancelled"),
        status if status.is_terminal() => format!("task #{number} had ended already: it is {status}"),
        _ => format!("task #{number} is ending: its machine ends the processes"),
    }
}

/// How a task ended, in one line.
pub(super) fn ended(task: &Task) -> String {
    let number = task.number;
    let took = match (task.started_at, task.completed_at) {
        (Some(start), Some(end)) => format!(" after {}", span(end.since(start))),
        _ => String::new(),
    };
    let why = task
        .error
        .as_deref()
        .filter(|_| task.status == TaskStatus::Failed)
        .map(|error| format!(": {}", cut(error, 300)));
    let mut text = format!("task #{number} {}{took}{}", task.status, why.unwrap_or_default());
    if let Some(result) = &task.result {
        if let Some(usage) = usage(&result.usage) {
            text = format!("{text} ({usage})");
        }
        if !result.artifacts.is_empty() {
            let count = result.artifacts.len();
            text = format!("{text}; {count} {} left behind", if count == 1 { "file" } else { "files" });
        }
    }
    text
}

/// What a task gave back, as text.
pub(super) fn result(task: &Task) -> String {
    task.result.as_ref().map(|result| result.text.clone()).unwrap_or_default()
}

fn usage(usage: &Usage) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(record::tokens(usage));
    if let Some(cost) = usage.cost_microusd {
        let known = match usage.cost_kind {
            CostKind::Reported => "",
            CostKind::Priced => " by price list",
            CostKind::Unknown | CostKind::None => " estimated",
        };
        parts.push(format!("{}{known}", dollars(cost)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(super) fn show(task: &Task, machines: &Machines, now: Timestamp) -> String {
    let style = task_style(task.status);
    let mut facts = Facts::default();
    facts
        .fact("task", format!("{BOLD}#{}{BOLD:#} {DIM}{}{DIM:#}", task.number, task.task_id))
        .fact("state", format!("{style}{}{style:#}", state(task, now)))
        .maybe("error", task.error.as_deref().map(|error| format!("{ERROR}{}{ERROR:#}", plain(error))));
    match &task.input {
        TaskInput::Command { argv, .. } => facts.fact("command", plain(&format!("{argv:?}"))),
        TaskInput::Prompt { .. } => facts.fact("prompt", plain(&task.description)),
    };
    let tool = task.tool.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string);
    let model = task.model.as_deref().map(|model| format!(", model {}", plain(model))).unwrap_or_default();
    let policy = format!("{} of {} failures", task.failures, task.retry.max_attempts);
    match task.cascade.as_slice() {
        [] => facts.fact("tool", format!("{tool}{model}")),
        entries => facts.fact("models", cascade(entries, task)),
    };
    for tried in &task.tries {
        let choice = ModelChoice { tool: tried.tool.clone(), model: tried.model.clone() };
        let class = tried.class.map_or("passed over", FailureClass::as_str).replace('_', " ");
        facts.fact("tried", format!("{}: {class} {DIM}{}{DIM:#}", plain(&choice.to_string()), cut(&tried.error, 200)));
    }
    facts
        .maybe("worker", task.worker_id.map(|worker| machine(machines, worker)))
        .fact("priority", task.priority.get().to_string())
        .fact("attempts", if task.attempt == 0 { "none yet".to_owned() } else { format!("{}, {policy}", task.attempt) })
        .maybe("retry of", task.retry_of.map(|id| id.to_string()))
        .fact("submitted", ago(now, task.created_at))
        .maybe("took", time_taken(task, now))
        .fact("log", format!("{} entries", task.log_seq));
    if let Some(result) = &task.result {
        facts.maybe("usage", usage(&result.usage));
        for artifact in &result.artifacts {
            facts.fact("file", format!("{} {DIM}{}{DIM:#}", plain(&artifact.name), bytes(artifact.size)));
        }
    }
    let attempts =
        task.attempts.iter().map(|attempt| record::record(attempt, &machine(machines, attempt.worker_id), now));
    let text = task.result.as_ref().map(|result| plain(&result.text));
    std::iter::once(facts.text()).chain(attempts).chain(text).collect::<Vec<_>>().join("\n\n")
}

/// The entries of a cascade, the one that it is at in bold.
fn cascade(entries: &[ModelChoice], task: &Task) -> String {
    let role = task.role.map(|role| format!("{role}: ")).unwrap_or_default();
    let named = entries.iter().enumerate().map(|(place, entry)| {
        let name = plain(&entry.to_string());
        let is_now = place == task.tries.len() && !task.status.is_terminal();
        if is_now { format!("{BOLD}{name}{BOLD:#}") } else { name }
    });
    format!("{role}{}", named.collect::<Vec<_>>().join(", "))
}

pub(super) fn placement(placement: &Placement) -> String {
    let mut text = plain(&placement.summary);
    if let Some(ahead) = placement.ahead.filter(|ahead| *ahead > 0) {
        text = format!("{text}\n{ahead} {} first", if ahead == 1 { "task comes" } else { "tasks come" });
    }
    if placement.candidates.is_empty() {
        return text;
    }
    let mut table = Table::new(&["WORKER", "FITS", "SCORE", "MATCH", "FREE", "BALANCE", "AFFINITY", "WHY NOT"]);
    for column in 2..=6 {
        table = table.numbers(column);
    }
    for candidate in &placement.candidates {
        table.row(cells(candidate));
    }
    format!("{text}\n\n{}", table.or(""))
}

fn cells(candidate: &Candidate) -> Vec<comfy_table::Cell> {
    let points = |points: fn(&swarm_proto::tasks::Score) -> f32| {
        candidate.score.as_ref().map_or_else(|| "-".to_owned(), |score| format!("{:.0}", points(score)))
    };
    vec![
        styled(plain(&candidate.machine_name), NORMAL),
        if candidate.eligible { styled("yes", GOOD) } else { styled("no", WARN) },
        styled(points(|score| score.total), BOLD),
        styled(points(|score| score.r#match), NORMAL),
        styled(points(|score| score.availability), NORMAL),
        styled(points(|score| score.balance), NORMAL),
        styled(points(|score| score.affinity), NORMAL),
        styled(plain(&candidate.reasons.join("; ")), DIM),
    ]
}
