use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::task::Usage;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn id(n: u8) -> Uuid {
    Uuid::from_bytes([n; 16])
}

fn attempt<'a>(tool: &'a ToolName, status: AttemptStatus, record: Option<&'a RunRecord>) -> EndedAttempt<'a> {
    EndedAttempt {
        user_id: UserId::from_uuid(id(1)),
        worker_id: WorkerId::from_uuid(id(2)),
        tool,
        model: Some("wished"),
        status,
        started_at: Some(START),
        ended_at: START + std::time::Duration::from_secs(2),
        record,
    }
}

fn sums(tool: &str, status: AttemptStatus, usage: Option<Usage>) -> UsageSums {
    let tool: ToolName = tool.parse().unwrap();
    let record = usage.map(|usage| RunRecord { usage, ..RunRecord::default() });
    attempt(&tool, status, record.as_ref()).usage().unwrap().1
}

#[test]
fn a_cost_is_added_only_as_it_is_known() {
    let told = |cost_kind, cost_microusd| {
        let usage = Usage { input_tokens: Some(3), cost_kind, cost_microusd, ..Usage::default() };
        sums("claude-code", AttemptStatus::Completed, Some(usage))
    };
    let reported = told(CostKind::Reported, Some(500));
    assert_eq!((reported.reported_runs, reported.reported_microusd, reported.known_microusd()), (1, 500, 500));
    let priced = told(CostKind::Priced, Some(7));
    assert_eq!((priced.priced_runs, priced.priced_microusd, priced.reported_runs), (1, 7, 0));
    assert_eq!(told(CostKind::None, None).free_runs, 1);
    // A number that nobody stands for is no cost.
    for unknown in [told(CostKind::Unknown, Some(9)), told(CostKind::Reported, None), told(CostKind::Priced, None)] {
        assert_eq!((unknown.unknown_cost_runs, unknown.known_microusd()), (1, 0));
    }
}

#[test]
fn a_run_that_vanished_is_a_run_of_which_nothing_is_known_but_its_time() {
    let lost = sums("claude-code", AttemptStatus::Lost, None);
    let expected =
        UsageSums { runs: 1, run_ms: 2_000, unknown_token_runs: 1, unknown_cost_runs: 1, ..UsageSums::default() };
    assert_eq!(lost, expected);
    let command = sums("command", AttemptStatus::Lost, None);
    assert_eq!((command.free_runs, command.unknown_cost_runs, command.unknown_token_runs), (1, 0, 0));
}

#[test]
fn what_never_began_used_nothing() {
    let tool: ToolName = "demo".parse().unwrap();
    let never = EndedAttempt { started_at: None, ..attempt(&tool, AttemptStatus::Lost, None) };
    assert_eq!(never.usage(), None);
    assert_eq!(attempt(&tool, AttemptStatus::Refused, None).usage(), None);
    // Who tells of a run had one.
    let record = RunRecord::default();
    assert!(attempt(&tool, AttemptStatus::Refused, Some(&record)).usage().is_some());
}

#[test]
fn a_model_is_the_one_that_answered_under_a_plain_name() {
    let tool: ToolName = "demo".parse().unwrap();
    let key = |model: Option<&str>| {
        let record = RunRecord { model: model.map(str::to_owned), ..RunRecord::default() };
        attempt(&tool, AttemptStatus::Completed, Some(&record)).usage().unwrap().0
    };
    assert_eq!(key(Some("answered")).model.as_deref(), Some("answered"));
    assert_eq!(key(None).model.as_deref(), Some("wished"));
    assert_eq!(key(Some("  ")).model, None);
    assert_eq!(key(Some("a\0b")), key(Some("a\u{fffd}b")), "which one database could not tell apart");
    assert_eq!(key(Some(&"é".repeat(1_000))).model.unwrap().chars().count(), MODEL_CHARS);
}

#[test]
fn what_a_worker_makes_up_stays_within_bounds() {
    let usage = Usage {
        input_tokens: Some(u64::MAX),
        output_tokens: Some(u64::MAX),
        cost_microusd: Some(u64::MAX),
        cost_kind: CostKind::Reported,
        ..Usage::default()
    };
    let told = sums("claude-code", AttemptStatus::Completed, Some(usage));
    assert!(told.values().iter().all(|sum| (0..=MOST as i64).contains(sum)), "{told:?}");
}

#[test]
fn sums_have_the_names_that_they_have_on_the_wire() {
    let numbered = UsageSums::from_values(std::array::from_fn(|n| n as i64));
    let wire = serde_json::to_value(numbered).unwrap();
    for (name, value) in UsageSums::NAMES.into_iter().zip(numbered.values()) {
        assert_eq!(wire[name], value, "{name}");
    }
    for by in UsageBy::ALL {
        assert_eq!(serde_json::to_value(by).unwrap(), by.as_str());
        assert_eq!(UsageBy::parse(by.as_str()), Some(by));
    }
}

fn some_usage() -> impl Strategy<Value = Option<Usage>> {
    let tokens = || prop::option::of(0..1_000_000_u64);
    let kind =
        prop_oneof![Just(CostKind::Unknown), Just(CostKind::Reported), Just(CostKind::Priced), Just(CostKind::None)];
    let usage = (tokens(), tokens(), tokens(), tokens(), tokens(), prop::option::of(any::<u64>()), kind).prop_map(
        |(
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_microusd,
            cost_kind,
        )| Usage {
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_microusd,
            cost_kind,
        },
    );
    prop::option::of(usage)
}

proptest! {
    /// Each run is in one way of knowing its cost, and taking back what was added leaves nothing.
    #[test]
    fn the_ways_of_knowing_a_cost_add_up(
        usages in prop::collection::vec((some_usage(), prop::bool::ANY), 0..40),
    ) {
        let tool: ToolName = "codex".parse().unwrap();
        let mut total = UsageSums::default();
        let mut each = Vec::new();
        for (usage, completed) in usages {
            let record = usage.map(|usage| RunRecord { usage, ..RunRecord::default() });
            let status = if completed { AttemptStatus::Completed } else { AttemptStatus::Failed };
            let (_, sums) = attempt(&tool, status, record.as_ref()).usage().unwrap();
            total += sums;
            each.push(sums);
        }
        let ways = total.reported_runs + total.priced_runs + total.free_runs + total.unknown_cost_runs;
        prop_assert_eq!(total.runs, ways);
        prop_assert_eq!(total.runs, each.len() as i64);
        for sums in each {
            total -= sums;
        }
        prop_assert_eq!(total, UsageSums::default());
    }
}
