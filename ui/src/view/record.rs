//! What became of one attempt, fact by fact, as `garageswarm task show` tells it. What nobody told is left out, never
//! shown as nothing.

use std::time::Duration;

use swarm_model::change::AttemptOutcome;
use swarm_model::task::{CostKind, RunRecord, Usage};
use swarm_proto::tasks::Attempt;

use super::facts::Fact;
use super::task;
use super::words::{self, Moment};
use crate::strings::record as text;

/// The facts of an attempt.
pub fn facts(attempt: &Attempt, moment: Moment) -> Vec<Fact> {
    let empty = RunRecord::default();
    let record = attempt.record.as_ref().unwrap_or(&empty);
    let clock = |at| words::clock(at, moment);
    let facts = [
        (text::OUTCOME, Some(outcome(attempt, record))),
        (text::WHY, attempt.error.clone()),
        (text::LIMIT, record.resets_at.map(|at| text::resets(&clock(at), words::left(at, moment).as_deref()))),
        (text::TOOL, Some(tool(attempt, record))),
        (text::MODEL, model(attempt, record)),
        (text::SESSION, record.session.clone()),
        (text::HANDED_OUT, Some(clock(attempt.assigned_at))),
        (text::BEGAN, attempt.started_at.map(clock)),
        (text::ENDED, attempt.ended_at.map(clock)),
        (text::FIRST_WORD, record.first_output_ms.map(|ms| text::after(&words::span(Duration::from_millis(ms))))),
        (text::DID, did(record)),
        (text::TOKENS, tokens(&record.usage)),
        (text::COST, attempt.record.as_ref().map(|record| cost(&record.usage))),
        (text::EXIT_CODE, record.exit_code.map(|code| code.to_string())),
        (text::NOTE, attempt.has_late_result.then(|| text::LATE.to_owned())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The end of what a tool wrote that failed.
pub fn raw_tail(attempt: &Attempt) -> Option<String> {
    let raw = attempt.record.as_ref()?.raw_tail.as_deref()?;
    Some(words::plain(raw)).filter(|plain| !plain.trim().is_empty())
}

fn outcome(attempt: &Attempt, record: &RunRecord) -> String {
    let words = match attempt.outcome {
        None if attempt.started_at.is_some() => text::RUNNING,
        None => text::GIVEN_OUT,
        Some(AttemptOutcome::Completed) => text::COMPLETED,
        Some(AttemptOutcome::Cancelled) => text::CANCELLED,
        Some(AttemptOutcome::Refused) => text::DECLINED,
        Some(AttemptOutcome::Lost) => text::LOST,
        Some(AttemptOutcome::Parked) => text::PARKED,
        Some(AttemptOutcome::NeedsHuman) => text::NEEDS_YOU,
        Some(AttemptOutcome::Failed) => text::FAILED,
    };
    let is_said =
        matches!(attempt.outcome, Some(AttemptOutcome::Lost | AttemptOutcome::Refused | AttemptOutcome::Cancelled));
    let class = attempt.failure_class.filter(|_| !is_said).map(|class| task::failure(class).to_lowercase());
    let held = attempt.started_at.zip(attempt.ended_at).map(|(start, end)| end.since(start));
    let took = record.duration_ms.map(Duration::from_millis).or(held).map(words::span);
    let is_final = attempt.outcome == Some(AttemptOutcome::Failed) && attempt.retryable == Some(false);
    text::outcome(words, class.as_deref(), took.as_deref(), is_final)
}

fn tool(attempt: &Attempt, record: &RunRecord) -> String {
    let name = words::tool(record.tool.as_ref().unwrap_or(&attempt.tool).as_str());
    record.tool_version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}"))
}

/// The model that answered, and the one that was asked for where it is another.
fn model(attempt: &Attempt, record: &RunRecord) -> Option<String> {
    match (&record.model, &attempt.model) {
        (Some(answered), Some(asked)) if answered != asked => Some(text::asked_for(answered, asked)),
        (Some(model), _) | (None, Some(model)) => Some(model.clone()),
        (None, None) => None,
    }
}

/// What it did, in numbers that are known and not zero.
fn did(record: &RunRecord) -> Option<String> {
    let some = |n: Option<u32>, words: fn(u64) -> String| n.filter(|n| *n > 0).map(|n| words(n.into()));
    let parts = [
        some(record.turns, text::turns),
        some(record.tool_calls, text::tool_calls),
        some(record.files_changed, text::files_changed),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn tokens(usage: &Usage) -> Option<String> {
    let told = |n: Option<u64>, words: fn(u64) -> String| n.filter(|n| *n > 0).map(words);
    let aside = |parts: [Option<String>; 2]| parts.into_iter().flatten().collect::<Vec<_>>();
    let (input, output) = (usage.input_tokens?, usage.output_tokens?);
    let cache =
        aside([told(usage.cache_read_tokens, text::from_cache), told(usage.cache_write_tokens, text::to_cache)]);
    let reasoning = aside([told(usage.reasoning_tokens, text::of_reasoning), None]);
    Some(text::tokens(&text::with_aside(input, &cache), &text::with_aside(output, &reasoning)))
}

/// The cost with how it is known.
fn cost(usage: &Usage) -> String {
    match (usage.cost_kind, usage.cost_microusd) {
        (CostKind::None, _) => text::NO_COST.to_owned(),
        (CostKind::Reported, Some(cost)) => text::reported(&words::dollars(cost)),
        (CostKind::Priced, Some(cost)) => text::priced(&words::dollars(cost)),
        (CostKind::Unknown | CostKind::Reported | CostKind::Priced, _) => text::NOT_KNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::FailureClass;
    use swarm_model::change::AttemptStatus;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    fn said(attempt: &Attempt) -> Vec<String> {
        facts(attempt, MOMENT).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn everything_that_is_known_of_a_run_is_told() {
        let usage = Usage {
            input_tokens: Some(1_234),
            output_tokens: Some(345),
            cache_read_tokens: Some(90_000),
            cache_write_tokens: Some(0),
            reasoning_tokens: Some(20),
            cost_microusd: Some(310_000),
            cost_kind: CostKind::Reported,
        };
        let record = RunRecord {
            tool_version: Some("2.1.4".to_owned()),
            model: Some("claude-sonnet-5".to_owned()),
            session: Some("s-1".to_owned()),
            first_output_ms: Some(840),
            duration_ms: Some(192_000),
            turns: Some(3),
            tool_calls: Some(1),
            files_changed: Some(0),
            exit_code: Some(0),
            usage,
            ..RunRecord::default()
        };
        let attempt = Attempt {
            model: Some("sonnet".to_owned()),
            outcome: Some(AttemptOutcome::Completed),
            ended_at: Some(ago(209)),
            record: Some(record),
            ..samples::attempt(1, AttemptStatus::Completed)
        };
        assert_eq!(
            said(&attempt),
            [
                "Outcome: Completed, after 3 min 12 s",
                "Tool: Claude Code 2.1.4",
                "Model: claude-sonnet-5 (asked for sonnet)",
                "Session: s-1",
                "Handed out: 15:24",
                "Began: 15:24",
                "Ended: 15:27",
                "First word: after 840 ms",
                "Did: 3 turns, 1 tool call",
                "Tokens: 1,234 (90,000 from cache) in, 345 (20 of reasoning) out",
                "Cost: $0.3100 as the tool says",
                "Exit code: 0",
            ]
        );
    }

    #[test]
    fn a_failure_says_why_and_keeps_what_it_wrote_folded() {
        let record = RunRecord {
            resets_at: Some(MOMENT.now + Duration::from_secs(725)),
            raw_tail: Some("\u{1b}[31m429\u{1b}[0m too many\r\n".to_owned()),
            ..RunRecord::default()
        };
        let parked = Attempt {
            outcome: Some(AttemptOutcome::Parked),
            failure_class: Some(FailureClass::Quota),
            error: Some("usage limit reached".to_owned()),
            ended_at: Some(ago(399)),
            record: Some(record),
            ..samples::attempt(1, AttemptStatus::Failed)
        };
        let said_of_it = said(&parked);
        assert_eq!(
            said_of_it[..3],
            [
                "Outcome: Parked: allowance used up, after 2 s",
                "Why: usage limit reached",
                "Limit: ends at 15:43, in 12 min 05 s",
            ]
        );
        assert!(said_of_it.contains(&"Cost: not known".to_owned()), "{said_of_it:?}");
        assert_eq!(raw_tail(&parked).as_deref(), Some("429 too many"));
        let broken = Attempt { outcome: Some(AttemptOutcome::Failed), retryable: Some(false), ..parked };
        assert_eq!(said(&broken)[0], "Outcome: Failed: allowance used up, after 2 s. Another try would not help");
    }

    #[test]
    fn what_nobody_told_is_left_out() {
        let running = samples::attempt(1, AttemptStatus::Running);
        assert_eq!(said(&running), ["Outcome: Running", "Tool: Claude Code", "Handed out: 15:24", "Began: 15:24"]);
        assert_eq!(raw_tail(&running), None);
    }
}
