//! Budgets: how many tokens, or how much money, may be used in a day, in a month, or in all.
//!
//! A budget is a person's or a worker's, perhaps for one tool alone. It counts what the sums of use count, by the same
//! days in UTC; what nobody told (`cost: unknown`) is in none. A task's own limits are no budget of this kind.

use serde::{Deserialize, Serialize};

use crate::course::Spent;
use crate::usage::UsageSums;
use crate::{BudgetId, Day, Timestamp, ToolName, UserId, WorkerId};

/// Of a hundred parts, so many are used when people are warned.
pub const WARN_PERCENT: u64 = 70;

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Tokens in and out.
    Tokens,
    /// Millionths of a US dollar.
    Microusd,
}

impl BudgetUnit {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Microusd => "microusd",
        }
    }

    /// So much, for people.
    pub fn words(self, amount: u64) -> String {
        match self {
            Self::Tokens => format!("{} tokens", thousands(amount)),
            Self::Microusd => {
                // Small sums are told exactly, others in cents.
                let (whole, rest) = (amount / 1_000_000, amount % 1_000_000);
                let cents = rest / 10_000;
                if rest % 10_000 == 0 || whole > 0 {
                    format!("{}.{cents:02} US dollars", thousands(whole))
                } else {
                    format!("{whole}.{rest:06} US dollars")
                }
            }
        }
    }

    /// This part of what was spent.
    pub fn part_of(self, spent: Spent) -> u64 {
        match self {
            Self::Tokens => spent.tokens,
            Self::Microusd => spent.cost_microusd,
        }
    }

    /// This part of a sum.
    pub fn part_of_sums(self, sums: &UsageSums) -> u64 {
        let part = match self {
            Self::Tokens => sums.input_tokens.saturating_add(sums.output_tokens),
            Self::Microusd => sums.known_microusd(),
        };
        u64::try_from(part).unwrap_or(0)
    }
}

/// A number with commas between its thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// After what time a budget begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// Each day in UTC.
    Day,
    /// Each month in UTC.
    Month,
    /// Never: it counts all that ever ran.
    Total,
}

impl BudgetPeriod {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The first day that counts at this time.
    pub fn since(self, now: Timestamp) -> Day {
        match self {
            Self::Day => Day::of(now),
            Self::Month => Day::of(now).month_begins(),
            Self::Total => Day::from_number(0),
        }
    }

    /// When it begins anew, if it ever does.
    pub fn ends(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Day => Some(Day::of(now).ends()),
            Self::Month => Some(Day::of(now).next_month().begins()),
            Self::Total => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Day => "for a day",
            Self::Month => "for a month",
            Self::Total => "in all",
        }
    }
}

/// Whose use a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetOf {
    /// All tasks of a person.
    User(UserId),
    /// Whatever runs on a worker.
    Worker(WorkerId),
}

/// How much may be used, of what, by whom, in what time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Its id.
    pub budget_id: BudgetId,
    /// Whose use it counts.
    pub of: BudgetOf,
    /// Only with this tool.
    pub tool: Option<ToolName>,
    /// In what time.
    pub period: BudgetPeriod,
    /// What it counts.
    pub unit: BudgetUnit,
    /// How much may be used.
    pub amount: u64,
    /// Who set it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

impl Budget {
    /// Whether a run would draw on it.
    pub fn counts(&self, user: UserId, worker: WorkerId, tool: &ToolName) -> bool {
        let is_theirs = match self.of {
            BudgetOf::User(of) => of == user,
            BudgetOf::Worker(of) => of == worker,
        };
        is_theirs && self.tool.as_ref().is_none_or(|of| of == tool)
    }

    /// What it is, for people.
    pub fn words(&self) -> String {
        let whose = match self.of {
            BudgetOf::User(_) => "person's",
            BudgetOf::Worker(_) => "worker's",
        };
        let tool = self.tool.as_ref().map(|tool| format!(" with {tool}")).unwrap_or_default();
        format!("the {whose} budget{tool} of {} {}", self.unit.words(self.amount), self.period.words())
    }

    /// That it is used up, for people.
    pub fn sentence(&self, used: u64, now: Timestamp) -> String {
        let until = self.period.ends(now).map(|end| format!(" until {} UTC", Day::of(end))).unwrap_or_default();
        let used = self.unit.words(used);
        let how = match self.unit {
            BudgetUnit::Tokens => "--tokens",
            BudgetUnit::Microusd => "--cost",
        };
        // People name one by the end of its id.
        let id: String = self.budget_id.to_string().chars().skip(28).collect();
        format!("{} is used up{until} ({used}); raise it with `garageswarm budget set {id} {how} N`", self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_ends_when_the_next_one_begins() {
        let now = at("2026-12-31T23:59:59Z");
        assert_eq!(BudgetPeriod::Day.ends(now), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(BudgetPeriod::Month.since(now).to_string(), "2026-12-01");
        assert_eq!(BudgetPeriod::Month.ends(now), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(BudgetPeriod::Month.ends(at("2028-02-29T12:00:00Z")), Some(at("2028-03-01T00:00:00Z")));
        assert_eq!(BudgetPeriod::Month.ends(at("2026-01-31T00:00:00Z")), Some(at("2026-02-01T00:00:00Z")));
        assert_eq!(BudgetPeriod::Total.ends(now), None);
    }

    #[test]
    fn amounts_are_told_as_people_read_them() {
        assert_eq!(BudgetUnit::Tokens.words(1_234_567), "1,234,567 tokens");
        assert_eq!(BudgetUnit::Tokens.words(999), "999 tokens");
        assert_eq!(BudgetUnit::Microusd.words(12_345_678_900), "12,345.67 US dollars");
        assert_eq!(BudgetUnit::Microusd.words(500_000), "0.50 US dollars");
        assert_eq!(BudgetUnit::Microusd.words(1_234), "0.001234 US dollars");
    }
}
