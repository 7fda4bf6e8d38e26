//! Sums as a table: the columns of the command line, with whole numbers.

use std::cmp::Reverse;
use std::time::Duration;

use swarm_model::usage::{UsageBy, UsageSums};
use swarm_proto::usage::{UsageItem, UsageReport};

use super::{group, whole};
use crate::strings::usage as text;
use crate::view::words;

/// Sums, told apart by one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The names of the columns; the first one is what sums are told apart by.
    pub head: Vec<&'static str>,
    /// The sums.
    pub rows: Vec<Row>,
    /// All of them together, where that is more than one.
    pub total: Option<Row>,
}

/// A sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is summed.
    pub name: String,
    /// The cells behind it.
    pub cells: Vec<String>,
}

/// What each sum is shown as. A column of which there is nothing at all is left out.
type Column = (&'static str, fn(&UsageSums) -> String, fn(&UsageSums) -> bool);

const COLUMNS: [Column; 8] = [
    (text::RUNS, |sums| count(sums.runs), |_| true),
    (text::TIME, |sums| words::span(Duration::from_millis(whole(sums.run_ms))), |_| true),
    (text::TOKENS_IN, |sums| tokens(sums, sums.input_tokens), has_tokens),
    (text::TOKENS_OUT, |sums| tokens(sums, sums.output_tokens), has_tokens),
    (text::FROM_CACHE, |sums| tokens(sums, sums.cache_read_tokens), |all| all.cache_read_tokens > 0),
    (text::TO_CACHE, |sums| tokens(sums, sums.cache_write_tokens), |all| all.cache_write_tokens > 0),
    (text::REASONING, |sums| tokens(sums, sums.reasoning_tokens), |all| all.reasoning_tokens > 0),
    (text::COST, cost, |_| true),
];

fn has_tokens(sums: &UsageSums) -> bool {
    sums.input_tokens + sums.output_tokens > 0
}

fn count(sum: i64) -> String {
    words::thousands(whole(sum))
}

/// Tokens; where every run that has some told none, that is said.
fn tokens(sums: &UsageSums, sum: i64) -> String {
    let is_untold = sums.unknown_token_runs > 0 && sums.unknown_token_runs + sums.free_runs == sums.runs;
    if is_untold && !has_tokens(sums) { text::NOT_TOLD.to_owned() } else { count(sum) }
}

/// What is known to have been spent, and of how many runs that is not known.
pub fn cost(sums: &UsageSums) -> String {
    let unknown = whole(sums.unknown_cost_runs);
    let known = words::dollars(whole(sums.known_microusd()));
    match (sums.reported_runs + sums.priced_runs > 0, unknown) {
        (true, 0) => known,
        (true, unknown) => text::known_and_unknown(&known, unknown),
        (false, 0) => text::FREE.to_owned(),
        (false, unknown) => text::cost_unknown(unknown),
    }
}

/// The table of a report. Days stand in their order, everything else by what it cost and used.
pub fn table(report: &UsageReport) -> Table {
    let by = report.by.first().copied().unwrap_or(UsageBy::Day);
    let columns: Vec<_> = COLUMNS.iter().filter(|(_, _, is_shown)| is_shown(&report.total)).collect();
    let row = |name, sums: &UsageSums| Row { name, cells: columns.iter().map(|(_, shown, _)| shown(sums)).collect() };
    let mut items: Vec<_> = report.items.iter().collect();
    if by != UsageBy::Day {
        let tokens = |sums: &UsageSums| sums.input_tokens + sums.output_tokens;
        items.sort_by_key(|item| Reverse((item.sums.known_microusd(), tokens(&item.sums), item.sums.runs)));
    }
    Table {
        head: std::iter::once(group(by)).chain(columns.iter().map(|(name, ..)| *name)).collect(),
        rows: items.into_iter().map(|item| row(name(by, item), &item.sums)).collect(),
        total: (report.items.len() > 1).then(|| row(text::TOTAL.to_owned(), &report.total)),
    }
}

/// A name where there is one; people and machines that have none are told apart by the end of their id.
fn name(by: UsageBy, item: &UsageItem) -> String {
    let named = |name: &Option<String>, id: Option<String>| {
        let end = || id.map(|id| id.chars().skip(id.len().saturating_sub(8)).collect());
        name.clone().or_else(end)
    };
    let name = match by {
        UsageBy::Day => item.day.map(|day| day.to_string()),
        UsageBy::User => named(&item.username, item.user_id.map(|id| id.to_string())),
        UsageBy::Worker => named(&item.machine_name, item.worker_id.map(|id| id.to_string())),
        UsageBy::Tool => item.tool.as_ref().map(|tool| words::tool(tool.as_str())),
        UsageBy::Model => item.model.clone(),
    };
    name.unwrap_or_else(|| text::NOT_TOLD.to_owned())
}
