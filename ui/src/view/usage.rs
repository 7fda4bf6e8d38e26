//! What was used: the same sums as the command line prints, for a span of days, told apart by what people choose.
//!
//! Nothing is reckoned here but sums of what the coordinator summed: a cost that nobody told is counted in runs and
//! is in no amount.

mod chart;
mod table;

pub use chart::{Bar, Chart, Measure, chart, measures};
pub use table::{Row, Table, cost, table};

use swarm_model::Timestamp;
use swarm_model::day::Day;
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_proto::usage::{ReadUsage, UsageReport};

use super::words;
use crate::strings::usage as text;

/// Which days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Span {
    /// Today.
    Today,
    /// Today and the six days before.
    Week,
    /// Today and the 29 days before.
    #[default]
    Month,
    /// Everything.
    All,
}

impl Span {
    /// Every choice, in the order of the page.
    pub const ALL: [Self; 4] = [Self::Today, Self::Week, Self::Month, Self::All];

    /// The name in the page's address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::All => "all",
        }
    }

    /// The word on its button.
    pub fn word(self) -> &'static str {
        match self {
            Self::Today => text::TODAY,
            Self::Week => text::WEEK,
            Self::Month => text::MONTH,
            Self::All => text::ALL,
        }
    }

    fn first(self, today: Day) -> Day {
        match self {
            Self::Today => today,
            Self::Week => today.minus(6),
            Self::Month => today.minus(29),
            Self::All => Day::default(),
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Which days.
    pub span: Span,
    /// By what sums are told apart.
    pub by: UsageBy,
}

impl Default for Asked {
    fn default() -> Self {
        Self { span: Span::default(), by: UsageBy::Tool }
    }
}

/// By what sums can be told apart beside days.
pub const GROUPS: [UsageBy; 4] = [UsageBy::Tool, UsageBy::Model, UsageBy::Worker, UsageBy::User];

impl Asked {
    /// What a page's address names.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name| get(name).unwrap_or_default();
        let span = Span::ALL.into_iter().find(|span| span.name() == read("span"));
        let by = UsageBy::parse(&read("by")).filter(|by| GROUPS.contains(by));
        Self { span: span.unwrap_or_default(), by: by.unwrap_or(UsageBy::Tool) }
    }

    /// The names and values in the page's address.
    pub fn to_query(self) -> Vec<(&'static str, String)> {
        let usual = Self::default();
        let span = (self.span != usual.span).then(|| ("span", self.span.name().to_owned()));
        let by = (self.by != usual.by).then(|| ("by", self.by.as_str().to_owned()));
        span.into_iter().chain(by).collect()
    }

    /// The question to the coordinator. It ends with the coordinator's own today.
    pub fn question(self, by: UsageBy, now: Timestamp) -> ReadUsage {
        let from = self.span.first(Day::of(now));
        ReadUsage { by: Some(by.as_str().to_owned()), from: Some(from), ..ReadUsage::default() }
    }
}

/// The word for a way to tell sums apart.
pub fn group(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Day => text::DAY,
        UsageBy::User => text::BY_USER,
        UsageBy::Worker => text::BY_WORKER,
        UsageBy::Tool => text::BY_TOOL,
        UsageBy::Model => text::BY_MODEL,
    }
}

fn whole(sum: i64) -> u64 {
    sum.unsigned_abs()
}

/// The sentence at the top: what is known to have been spent, and of how many runs that is not known.
pub fn headline(total: &UsageSums, span: Span) -> String {
    let unknown = whole(total.unknown_cost_runs);
    let is_known = total.reported_runs + total.priced_runs > 0;
    if total.runs == 0 {
        text::nothing(span.name())
    } else if is_known {
        let spent = text::spent(&words::dollars(whole(total.known_microusd())), span.name());
        if unknown == 0 { spent } else { format!("{spent}, {}", text::and_unknown(unknown)) }
    } else if unknown > 0 {
        text::only_unknown(unknown, span.name())
    } else {
        text::all_free(whole(total.runs), span.name())
    }
}

/// How the cost is known, what told no tokens, and which days these are.
pub fn remarks(report: &UsageReport, span: Span) -> Vec<String> {
    let total = &report.total;
    let some = |runs: i64, words: &dyn Fn(u64) -> String| (runs > 0).then(|| words(whole(runs)));
    let amount = |microusd: i64| words::dollars(whole(microusd));
    let known: Vec<_> = [
        some(total.reported_runs, &|n| text::reported(&amount(total.reported_microusd), n)),
        some(total.priced_runs, &|n| text::priced(&amount(total.priced_microusd), n)),
        some(total.free_runs, &text::free),
        some(total.unknown_cost_runs, &text::unknown),
        some(total.unknown_token_runs, &text::untold_tokens),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (from, to) = (report.from.to_string(), report.to.to_string());
    let days = if span == Span::All { text::until(&to) } else { text::days(&from, &to) };
    let known = (!known.is_empty()).then(|| format!("{}.", words::capital(&known.join("; "))));
    known.into_iter().chain([format!("{}.", words::capital(&days))]).collect()
}

/// What prints the same in a terminal.
pub fn command(report: &UsageReport, by: UsageBy) -> String {
    text::command(by.as_str(), &report.from.to_string(), &report.to.to_string())
}

#[cfg(test)]
mod tests;
