use serde_json::json;

use super::*;
use crate::view::samples::MOMENT;

fn report(by: &str, from: &str, items: serde_json::Value) -> UsageReport {
    let mut report: UsageReport = serde_json::from_value(json!({
        "from": from, "to": "2026-11-20", "by": [by], "items": items, "total": {},
    }))
    .unwrap();
    for item in &report.items {
        report.total += item.sums;
    }
    report
}

fn tools() -> UsageReport {
    report(
        "tool",
        "2026-11-14",
        json!([
            {"tool": "command", "runs": 1, "run_ms": 800, "free_runs": 1},
            {"tool": "codex", "runs": 1, "unknown_cost_runs": 1, "unknown_token_runs": 1},
            {"tool": "claude-code", "runs": 12, "completed_runs": 10, "run_ms": 4_500_000, "input_tokens": 1_234_567,
             "output_tokens": 45_678, "cache_read_tokens": 99_000_000, "reasoning_tokens": 1_200, "reported_runs": 9,
             "reported_microusd": 12_340_000, "unknown_cost_runs": 3},
            {"tool": "gemini-cli", "runs": 2, "run_ms": 90_000, "input_tokens": 900, "output_tokens": 80,
             "priced_runs": 2, "priced_microusd": 4_200},
        ]),
    )
}

#[test]
fn a_table_has_the_columns_of_the_command_line_and_whole_numbers() {
    let table = table(&tools());
    assert_eq!(
        table.head,
        ["Tool", "Runs", "Time", "Tokens in", "Tokens out", "From cache", "Reasoning", "Cost"],
        "of what nothing is there, there is no column"
    );
    let lines: Vec<_> = table.rows.iter().map(|row| format!("{} | {}", row.name, row.cells.join(" | "))).collect();
    assert_eq!(
        lines,
        [
            "Claude Code | 12 | 1 h 15 min | 1,234,567 | 45,678 | 99,000,000 | 1,200 | $12.34 + 3 unknown",
            "Gemini CLI | 2 | 1 min 30 s | 900 | 80 | 0 | 0 | $0.0042",
            "Command | 1 | 800 ms | 0 | 0 | 0 | 0 | no cost",
            "Codex | 1 | 0 s | not told | not told | not told | not told | 1 unknown",
        ],
        "what is not known is never $0.00"
    );
    let total = table.total.unwrap();
    assert_eq!((total.cells[0].as_str(), total.cells[6].as_str()), ("16", "$12.34 + 4 unknown"));
}

#[test]
fn people_and_models_without_a_name_are_told_apart() {
    let people = json!([
        {"user_id": "01890000-0000-7000-8000-0000000000aa", "username": "ann", "runs": 1, "free_runs": 1},
        {"user_id": "01890000-0000-7000-8000-0000000000ab", "runs": 1, "free_runs": 1},
    ]);
    let names = |report: &UsageReport| table(report).rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(&report("user", "2026-11-20", people)), ["ann", "000000ab"]);
    assert_eq!(names(&report("model", "2026-11-20", json!([{"runs": 1, "free_runs": 1}]))), ["not told"]);
}

#[test]
fn the_sentence_never_takes_unknown_for_nothing() {
    let said = |sums: serde_json::Value| headline(&serde_json::from_value(sums).unwrap(), Span::Week);
    assert_eq!(said(json!({})), "Nothing ran in the last 7 days");
    assert_eq!(
        said(json!({"runs": 5, "reported_runs": 1, "reported_microusd": 3_180_000, "unknown_cost_runs": 4})),
        "$3.18 spent in the last 7 days, and 4 runs of unknown cost"
    );
    assert_eq!(said(json!({"runs": 4, "unknown_cost_runs": 4})), "4 runs of unknown cost in the last 7 days");
    assert_eq!(said(json!({"runs": 1, "free_runs": 1})), "1 run in the last 7 days, at no cost");
    let remarks = remarks(&tools(), Span::Week);
    assert_eq!(
        remarks,
        [
            "$12.34 as the tools of 9 runs say; $0.0042 of 2 runs by price list; 1 run at no cost; \
             4 runs of unknown cost, in no sum; 1 run told no tokens.",
            "2026-11-14 to 2026-11-20, days of UTC."
        ]
    );
    assert_eq!(command(&tools(), UsageBy::Tool), "garageswarm usage --by tool --from 2026-11-14 --to 2026-11-20");
}

#[test]
fn what_is_looked_at_survives_the_address_and_is_asked_for() {
    let asked = Asked { span: Span::Week, by: UsageBy::Worker };
    let query = asked.to_query();
    let read = |name: &str| query.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    assert_eq!(Asked::from_query(read), asked);
    assert!(Asked::default().to_query().is_empty());
    assert_eq!(Asked::from_query(|_| Some("moon".to_owned())), Asked::default());
    let from = |span| Asked { span, by: UsageBy::Tool }.question(UsageBy::Day, MOMENT.now).from.unwrap().to_string();
    assert_eq!(Span::ALL.map(from), ["2026-11-20", "2026-11-14", "2026-10-22", "1970-01-01"]);
}

fn days(items: serde_json::Value, span: Span, measure: Measure) -> Chart {
    let from = if span == Span::All { "1970-01-01" } else { "2026-11-14" };
    chart(&report("day", from, items), span, measure)
}

#[test]
fn every_day_has_a_bar_and_what_is_unknown_a_hatched_one() {
    let items = json!([
        {"day": "2026-11-18", "runs": 3, "reported_runs": 2, "reported_microusd": 4_000_000, "unknown_cost_runs": 1},
        {"day": "2026-11-20", "runs": 1, "reported_runs": 1, "reported_microusd": 1_000_000},
    ]);
    let chart = days(items.clone(), Span::Week, Measure::Cost);
    let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.label.as_str(), bar.percent, bar.amount.as_str())).collect();
    assert_eq!(bars.len(), 7);
    assert_eq!(bars[4..], [("18 Nov", 100.0, "$4.00"), ("19 Nov", 0.0, ""), ("20 Nov", 25.0, "$1.00")]);
    assert_eq!(chart.bars.iter().filter(|bar| bar.is_more).count(), 1);
    assert_eq!(chart.remark, Some(text::HATCHED));
    assert!(chart.bars[6].is_last && !chart.is_of_months);
    assert_eq!(days(items.clone(), Span::Week, Measure::Runs).remark, None);
    // From the first run on.
    assert_eq!(days(items, Span::All, Measure::Runs).bars.len(), 3);
    assert_eq!(days(json!([{"day": "2026-11-20", "runs": 1}]), Span::All, Measure::Runs), Chart::default());
}

#[test]
fn a_long_time_has_a_bar_for_each_month() {
    let items =
        json!([{"day": "2026-08-30", "runs": 1}, {"day": "2026-08-31", "runs": 2}, {"day": "2026-11-20", "runs": 6}]);
    let chart = days(items, Span::All, Measure::Runs);
    assert!(chart.is_of_months);
    let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.label.as_str(), bar.percent, bar.title.as_str())).collect();
    assert_eq!(
        bars,
        [
            ("Aug 2026", 50.0, "2026-08: 3"),
            ("Sep 2026", 0.0, "2026-09: 0"),
            ("Oct 2026", 0.0, "2026-10: 0"),
            ("Nov 2026", 100.0, "2026-11: 6"),
        ]
    );
}

#[test]
fn only_what_is_there_can_be_drawn() {
    let of = |sums: serde_json::Value| measures(&serde_json::from_value(sums).unwrap());
    assert_eq!(of(json!({"runs": 1})), [Measure::Runs]);
    assert_eq!(of(json!({"runs": 1, "input_tokens": 3})), [Measure::Tokens, Measure::Runs]);
    assert_eq!(of(json!({"runs": 1, "priced_runs": 1, "priced_microusd": 3})), [Measure::Cost, Measure::Runs]);
    assert_eq!(of(json!({})), []);
}
