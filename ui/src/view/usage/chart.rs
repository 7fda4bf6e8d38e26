//! Sums of days as bars. They show nothing that does not stand in the table below them.

use std::collections::BTreeMap;

use swarm_model::day::Day;
use swarm_model::usage::UsageSums;
use swarm_proto::usage::UsageReport;

use super::{Span, whole};
use crate::strings::usage as text;
use crate::view::words;

/// The most days that have a bar each; beyond, months have.
const MOST_DAYS: i64 = 31;
/// The most bars that have their amount above them.
const MOST_NAMED: usize = 10;
/// About how many bars have their day below them, where not all have.
const LABELS: usize = 5;

/// What the bars show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Money, as far as it is known.
    Cost,
    /// Tokens in and out.
    Tokens,
    /// Runs.
    Runs,
}

impl Measure {
    /// The word on its button.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cost => text::COST,
            Self::Tokens => text::TOKENS,
            Self::Runs => text::RUNS,
        }
    }

    fn amount(self, sums: &UsageSums) -> u64 {
        match self {
            Self::Cost => whole(sums.known_microusd()),
            Self::Tokens => whole(sums.input_tokens.saturating_add(sums.output_tokens)),
            Self::Runs => whole(sums.runs),
        }
    }

    fn words(self, amount: u64) -> String {
        match self {
            Self::Cost => words::money(amount),
            Self::Tokens => words::roughly(amount),
            Self::Runs => words::thousands(amount),
        }
    }

    /// Whether there is more than the bar can show.
    fn is_more(self, sums: &UsageSums) -> bool {
        match self {
            Self::Cost => sums.unknown_cost_runs > 0,
            Self::Tokens => sums.unknown_token_runs > 0,
            Self::Runs => false,
        }
    }
}

/// What can be drawn of these sums, the most telling first.
pub fn measures(total: &UsageSums) -> Vec<Measure> {
    let all = [Measure::Cost, Measure::Tokens, Measure::Runs];
    all.into_iter().filter(|measure| measure.amount(total) > 0).collect()
}

/// Bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// Whether they are of months.
    pub is_of_months: bool,
    /// What the hatched part of a bar means, where there is one.
    pub remark: Option<&'static str>,
    /// The bars, the first day first.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its height in percent of the highest one.
    pub percent: f64,
    /// Its amount in words; nothing where there is no room.
    pub amount: String,
    /// Its day below it; nothing where there is no room.
    pub label: String,
    /// Both, for a pointer that rests on it.
    pub title: String,
    /// Whether something is not in its amount.
    pub is_more: bool,
    /// Whether it is today's.
    pub is_last: bool,
}

/// The bars of a report by day; none where there is but one.
pub fn chart(report: &UsageReport, span: Span, measure: Measure) -> Chart {
    let first = match span {
        Span::All => report.items.iter().filter_map(|item| item.day).min().unwrap_or(report.to),
        Span::Today | Span::Week | Span::Month => report.from,
    };
    let n_days = report.to.number().saturating_sub(first.number()).saturating_add(1);
    let is_of_months = n_days > MOST_DAYS;
    let place = |day: Day| if is_of_months { month(day) } else { day.to_string() };
    // A time without a run has its place too.
    let places = (first.number()..=report.to.number()).map(|n| (place(Day::from_number(n)), UsageSums::default()));
    let mut sums: BTreeMap<String, UsageSums> = places.collect();
    for item in &report.items {
        if let Some(day) = item.day {
            *sums.entry(place(day)).or_default() += item.sums;
        }
    }
    if sums.len() < 2 {
        return Chart::default();
    }
    let most = sums.values().map(|sums| measure.amount(sums)).max().unwrap_or(0).max(1);
    let n = sums.len();
    let step = if n <= MOST_NAMED { 1 } else { n.div_ceil(LABELS) };
    let bar = |(place, (name, sums)): (usize, (String, UsageSums))| {
        let amount = measure.amount(&sums);
        let shown = measure.words(amount);
        Bar {
            percent: amount as f64 / most as f64 * 100.0,
            title: format!("{name}: {shown}"),
            amount: if n <= MOST_NAMED && amount > 0 { shown } else { String::new() },
            label: if (n - 1 - place).is_multiple_of(step) { short(&name) } else { String::new() },
            is_more: measure.is_more(&sums),
            is_last: place + 1 == n,
        }
    };
    let bars: Vec<_> = sums.into_iter().enumerate().map(bar).collect();
    let remark = bars.iter().any(|bar| bar.is_more).then_some(match measure {
        Measure::Tokens => text::HATCHED_TOKENS,
        Measure::Cost | Measure::Runs => text::HATCHED,
    });
    Chart { is_of_months, remark, bars }
}

/// "2026-11" of "2026-11-21".
fn month(day: Day) -> String {
    day.to_string().chars().take(7).collect()
}

/// "21 Nov" of "2026-11-21", "Nov 2026" of "2026-11".
fn short(name: &str) -> String {
    let mut parts = name.split('-');
    let (year, month, day) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    let month = month.parse().map_or("", words::month);
    match day {
        Some(day) => format!("{} {month}", day.trim_start_matches('0')),
        None => format!("{month} {year}"),
    }
}
