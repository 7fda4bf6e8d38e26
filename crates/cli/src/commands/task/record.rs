//! What became of each attempt of a task, as people read it.

use std::time::Duration;

use swarm_model::change::AttemptOutcome;
use swarm_model::task::{CostKind, ModelUse, RunRecord, Usage};
use swarm_model::{Isolation, Timestamp};
use swarm_proto::tasks::Attempt;

use crate::output::table::Facts;
use crate::readable::{ACTIVE, BOLD, DIM, ERROR, GOOD, NORMAL, WARN, ago, cut, dollars, plain, span, until};

/// Lines of a failed tool's own words.
const RAW_LINES: usize = 8;
const RAW_LINE: usize = 160;

/// One attempt as a list of facts.
pub(super) fn record(attempt: &Attempt, machine: &str, now: Timestamp) -> String {
    let empty = RunRecord::default();
    let record = attempt.record.as_ref().unwrap_or(&empty);
    let mut facts = Facts::default();
    facts
        .fact("attempt", format!("{BOLD}{}{BOLD:#} on {machine}: {}", attempt.attempt, ended(attempt, record, now)))
        .maybe("why", attempt.error.as_deref().map(plain))
        .maybe("limit", record.resets_at.map(|at| limit(at, now)))
        .fact("ran", ran(attempt, record))
        .maybe("isolation", record.isolation.map(Isolation::as_str))
        .maybe("did", did(record))
        .maybe("used", attempt.record.as_ref().map(|record| used(&record.usage)))
        .maybe("asked", asked(&record.models))
        .maybe("exit code", record.exit_code.map(|code| code.to_string()))
        .maybe("note", attempt.has_late_result.then_some("its result came too late and changed nothing"))
        .maybe("it wrote", record.raw_tail.as_deref().map(last_lines).filter(|text| !text.is_empty()));
    facts.text()
}

/// How it stands or ended, when, and after how long.
fn ended(attempt: &Attempt, record: &RunRecord, now: Timestamp) -> String {
    let class = attempt.failure_class.map(|class| class.as_str().replace('_', " "));
    let (words, style) = match attempt.outcome {
        None if attempt.started_at.is_some() => ("running", ACTIVE),
        None => ("given out", ACTIVE),
        Some(AttemptOutcome::Completed) => ("completed", GOOD),
        Some(AttemptOutcome::Cancelled) => ("cancelled", NORMAL),
        Some(AttemptOutcome::Refused) => ("declined", WARN),
        Some(AttemptOutcome::Lost) => ("lost", WARN),
        Some(AttemptOutcome::Parked) => ("parked", WARN),
        Some(AttemptOutcome::NeedsHuman) => ("needs you", ERROR),
        Some(AttemptOutcome::Failed) => ("failed", ERROR),
    };
    let is_said =
        matches!(attempt.outcome, Some(AttemptOutcome::Lost | AttemptOutcome::Refused | AttemptOutcome::Cancelled));
    let class = class.filter(|_| !is_said).map(|class| format!(" ({class})")).unwrap_or_default();
    let took = record.duration_ms.map(Duration::from_millis);
    let held = attempt.started_at.map(|started| attempt.ended_at.unwrap_or(now).since(started));
    let how_long = if attempt.ended_at.is_some() { "after" } else { "for" };
    let took = took.or(held).map(|took| format!(" {how_long} {}", span(took))).unwrap_or_default();
    let when = match (attempt.ended_at, attempt.started_at) {
        (None, Some(_)) => String::new(),
        (ended_at, None | Some(_)) => format!(", {}", ago(now, ended_at.unwrap_or(attempt.assigned_at))),
    };
    let again = match (attempt.outcome, attempt.retryable) {
        (Some(AttemptOutcome::Failed), Some(false)) => ", and another try would not help",
        _ => "",
    };
    format!("{style}{words}{class}{style:#}{took}{again}{DIM}{when}{DIM:#}")
}

fn limit(resets_at: Timestamp, now: Timestamp) -> String {
    // Minutes are enough of a limit that lasts for hours.
    let at = resets_at.to_string();
    let at = at.get(..16).unwrap_or(&at).replace('T', " ");
    format!("of the account, {} {DIM}({at} UTC){DIM:#}", until(now, resets_at))
}

fn ran(attempt: &Attempt, record: &RunRecord) -> String {
    let mut text = attempt.tool.to_string();
    if let Some(version) = &record.tool_version {
        text = format!("{text} {}", plain(version));
    }
    if let Some(model) = record.model.as_deref().or(attempt.model.as_deref()) {
        text = format!("{text}, model {}", plain(model));
    }
    match &record.session {
        Some(session) => format!("{text}, session {DIM}{}{DIM:#}", plain(session)),
        None => text,
    }
}

/// What it did, in numbers that are known and not zero.
fn did(record: &RunRecord) -> Option<String> {
    let some = |count: Option<u32>, one: &str, many: &str| match count {
        None | Some(0) => None,
        Some(1) => Some(format!("1 {one}")),
        Some(count) => Some(format!("{count} {many}")),
    };
    let first = record.first_output_ms.map(|ms| format!("first word after {}", span(Duration::from_millis(ms))));
    let parts: Vec<_> = [
        first,
        some(record.turns, "turn", "turns"),
        some(record.tool_calls, "tool call", "tool calls"),
        some(record.files_changed, "file changed", "files changed"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Which models were asked, how often, and how long the slowest made it wait.
fn asked(models: &[ModelUse]) -> Option<String> {
    let one = |used: &ModelUse| {
        let times = if used.calls == 1 { "once".to_owned() } else { format!("{} times", used.calls) };
        let first = used.first_byte_ms.map(|ms| format!(", first byte within {}", span(Duration::from_millis(ms))));
        format!("{} {times}{}", plain(&used.model), first.unwrap_or_default())
    };
    (!models.is_empty()).then(|| models.iter().map(one).collect::<Vec<_>>().join("\n"))
}

/// Tokens and money of one run, with how the money is known.
fn used(usage: &Usage) -> String {
    let cost = match (usage.cost_kind, usage.cost_microusd) {
        (CostKind::None, _) => "no cost".to_owned(),
        (CostKind::Reported, Some(cost)) => format!("{} as the tool says", dollars(cost)),
        (CostKind::Priced, Some(cost)) => format!("{} by price list", dollars(cost)),
        (CostKind::Unknown | CostKind::Reported | CostKind::Priced, _) => "cost not known".to_owned(),
    };
    match tokens(usage) {
        Some(tokens) => format!("{tokens}, {cost}"),
        None => cost,
    }
}

/// The tokens in words, where they were told.
pub(super) fn tokens(usage: &Usage) -> Option<String> {
    let told =
        |count: Option<u64>, words: &str| count.filter(|count| *count > 0).map(|count| format!("{count} {words}"));
    let aside = |parts: [Option<String>; 2]| {
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    };
    let (input, output) = (usage.input_tokens?, usage.output_tokens?);
    let cache = aside([told(usage.cache_read_tokens, "from cache"), told(usage.cache_write_tokens, "to cache")]);
    let reasoning = aside([told(usage.reasoning_tokens, "of reasoning"), None]);
    Some(format!("{input} tokens in{cache}, {output} out{reasoning}"))
}

/// The last lines of what a tool wrote, each on one line.
fn last_lines(raw: &str) -> String {
    let plain = plain(raw);
    let lines: Vec<_> = plain.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(RAW_LINES)..];
    last.iter().map(|line| cut(line, RAW_LINE)).collect::<Vec<_>>().join("\n")
}
