use super::*;

fn report(by: &[&str], items: serde_json::Value) -> UsageReport {
    let mut report: UsageReport = serde_json::from_value(serde_json::json!({
        "from": "2026-11-14", "to": "2026-11-21", "by": by, "items": items,
        "total": {},
    }))
    .unwrap();
    for item in &report.items {
        report.total += item.sums;
    }
    report
}

fn plainly(report: &UsageReport) -> String {
    anstream::adapter::strip_str(&words(report)).to_string()
}

#[test]
fn by_day_and_tool() {
    let told = report(
        &["day", "tool"],
        serde_json::json!([
            {"day": "2026-11-20", "tool": "claude-code", "runs": 12, "completed_runs": 10, "run_ms": 4_500_000,
             "input_tokens": 1_234_567, "output_tokens": 45_678, "cache_read_tokens": 99_000_000, "reasoning_tokens": 1_200,
             "reported_runs": 9, "reported_microusd": 12_340_000, "unknown_cost_runs": 3, "unknown_token_runs": 3},
            {"day": "2026-11-20", "tool": "command", "runs": 1, "run_ms": 800, "free_runs": 1},
            {"day": "2026-11-21", "tool": "gemini-cli", "runs": 2, "run_ms": 90_000, "input_tokens": 900, "output_tokens": 80,
             "priced_runs": 2, "priced_microusd": 4_200},
            {"day": "2026-11-21", "tool": "codex", "runs": 1, "unknown_cost_runs": 1, "input_tokens": 7},
        ]),
    );
    insta::assert_snapshot!(plainly(&told));
}

#[test]
fn by_people_and_machines_by_name() {
    let told = report(
        &["user", "worker", "model"],
        serde_json::json!([
            {"user_id": "01890000-0000-7000-8000-0000000000aa", "username": "ann\u{1b}[2J", "runs": 3, "free_runs": 3,
             "worker_id": "01890000-0000-7000-8000-0000000000bb", "machine_name": "attic", "model": "llama3"},
            {"user_id": "01890000-0000-7000-8000-0000000000ab", "runs": 1, "free_runs": 1,
             "worker_id": "01890000-0000-7000-8000-0000000000bc"},
        ]),
    );
    insta::assert_snapshot!(plainly(&told));
}

#[test]
fn one_sum_needs_no_total() {
    let told = report(&[], serde_json::json!([{"runs": 5, "run_ms": 5_000, "unknown_cost_runs": 5}]));
    insta::assert_snapshot!(plainly(&told));
    let nothing = report(&["day"], serde_json::json!([]));
    assert_eq!(plainly(&nothing), "nothing ran\n2026-11-14 to 2026-11-21, days of UTC");
}

#[test]
fn a_way_that_is_none_is_refused_with_those_there_are() {
    assert_eq!(read_by("model"), Ok(UsageBy::Model));
    assert!(read_by("moon").unwrap_err().contains("day, user, worker, tool, model"));
}
