//! What runs used, summed by day.
//!
//! An attempt adds to the sums of the day on which it ended, once, in the commit that ends it. It counts as a run
//! where its worker began or told the facts of the run; what was declined, or taken back before it began, used
//! nothing. What is not known is counted and never added as zero.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

use crate::change::AttemptStatus;
use crate::day::Day;
use crate::task::{CostKind, RunRecord};
use crate::{Timestamp, ToolName, UserId, WorkerId};

/// The most of anything that one run may add: more than there is, and so little that no sum of a day runs over,
/// whatever workers make up.
pub const MOST: u64 = 10_000_000_000;

/// Characters of a model's name by which it is told from others. Users and workers make up names.
const MODEL_CHARS: usize = 100;

macro_rules! sums {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// Sums over runs. Every run is in exactly one of the four ways in which a cost is known.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(default)]
        pub struct UsageSums {
            $($(#[$doc])* pub $field: i64,)+
        }

        impl UsageSums {
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($field)),+].len();
            /// Their names, as on the wire and in the store.
            pub const NAMES: [&'static str; Self::COUNT] = [$(stringify!($field)),+];

            /// The sums in the order of their names.
            pub fn values(self) -> [i64; Self::COUNT] {
                [$(self.$field),+]
            }

            /// The other way round.
            pub fn from_values(values: [i64; Self::COUNT]) -> Self {
                let [$($field),+] = values;
                Self { $($field),+ }
            }
        }

        impl AddAssign for UsageSums {
            fn add_assign(&mut self, other: Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)+
            }
        }

        /// For corrections: what was counted for lack of knowledge is taken back once more is known.
        impl SubAssign for UsageSums {
            fn sub_assign(&mut self, other: Self) {
                $(self.$field = self.$field.saturating_sub(other.$field);)+
            }
        }
    };
}

sums! {
    /// Runs, whatever became of them.
    runs,
    /// Those whose result is their task's.
    completed_runs,
    /// Milliseconds that they took.
    run_ms,
    /// Tokens read.
    input_tokens,
    /// Tokens written.
    output_tokens,
    /// Tokens read from a cache.
    cache_read_tokens,
    /// Tokens written to a cache.
    cache_write_tokens,
    /// Of the tokens written, those of reasoning, where that was told apart.
    reasoning_tokens,
    /// Runs of models that did not tell their tokens.
    unknown_token_runs,
    /// Runs whose cost their tool told.
    reported_runs,
    /// That cost, in millionths of a US dollar.
    reported_microusd,
    /// Runs whose cost is from a table of prices.
    priced_runs,
    /// That cost, in millionths of a US dollar.
    priced_microusd,
    /// Runs that cost nothing.
    free_runs,
    /// Runs whose cost nobody told. It is in no sum.
    unknown_cost_runs,
}

impl UsageSums {
    /// What is known to have been spent, in millionths of a US dollar.
    pub fn known_microusd(&self) -> i64 {
        self.reported_microusd.saturating_add(self.priced_microusd)
    }
}

/// Which runs are summed together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// On which day they ended.
    pub day: Day,
    /// Whose tasks they were of.
    pub user_id: UserId,
    /// Where they ran.
    pub worker_id: WorkerId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where that is known.
    pub model: Option<String>,
}

/// By what sums are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// By day, in UTC.
    Day,
    /// By person.
    User,
    /// By worker.
    Worker,
    /// By tool.
    Tool,
    /// By model.
    Model,
}

impl UsageBy {
    /// Every way, in the order of columns.
    pub const ALL: [Self; 5] = [Self::Day, Self::User, Self::Worker, Self::Tool, Self::Model];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::User => "user",
            Self::Worker => "worker",
            Self::Tool => "tool",
            Self::Model => "model",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

/// An attempt that has ended, as far as sums ask.
#[derive(Debug, Clone, Copy)]
pub struct EndedAttempt<'a> {
    /// Whose task it was of.
    pub user_id: UserId,
    /// Where it ran.
    pub worker_id: WorkerId,
    /// With which tool it was given out.
    pub tool: &'a ToolName,
    /// With which model, where one was wished for.
    pub model: Option<&'a str>,
    /// How it ended.
    pub status: AttemptStatus,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The facts of the run, where its worker told them.
    pub record: Option<&'a RunRecord>,
}

impl EndedAttempt<'_> {
    /// Puts sums right that were made before this attempt's facts were known: what was counted for lack of knowledge
    /// goes, what is known now comes, perhaps to the sums of another model.
    pub fn learn(self, record: &RunRecord, sums: &mut BTreeMap<UsageKey, UsageSums>) {
        if let Some((key, unknown)) = self.usage() {
            *sums.entry(key).or_default() -= unknown;
        }
        if let Some((key, known)) = (EndedAttempt { record: Some(record), ..self }).usage() {
            *sums.entry(key).or_default() += known;
        }
    }

    /// What it adds to which sums, if it was a run.
    pub fn usage(&self) -> Option<(UsageKey, UsageSums)> {
        let began = self.started_at.is_some() && self.status != AttemptStatus::Refused;
        (began || self.record.is_some()).then(|| (self.key(), self.sums()))
    }

    fn key(&self) -> UsageKey {
        let told = self.record.and_then(|record| record.model.as_deref());
        UsageKey {
            day: Day::of(self.ended_at),
            user_id: self.user_id,
            worker_id: self.worker_id,
            tool: self.tool.clone(),
            model: told.or(self.model).map(plain_model).filter(|model| !model.is_empty()),
        }
    }

    fn sums(&self) -> UsageSums {
        let usage = self.record.map(|record| record.usage.clone()).unwrap_or_default();
        let tokens = |told: Option<u64>| bounded(told.unwrap_or(0));
        let held = self
            .started_at
            .map_or(0, |started| u64::try_from(self.ended_at.since(started).as_millis()).unwrap_or(u64::MAX));
        let mut sums = UsageSums {
            runs: 1,
            completed_runs: i64::from(self.status == AttemptStatus::Completed),
            run_ms: bounded(self.record.and_then(|record| record.duration_ms).unwrap_or(held)),
            input_tokens: tokens(usage.input_tokens),
            output_tokens: tokens(usage.output_tokens),
            cache_read_tokens: tokens(usage.cache_read_tokens),
            cache_write_tokens: tokens(usage.cache_write_tokens),
            reasoning_tokens: tokens(usage.reasoning_tokens),
            ..UsageSums::default()
        };
        // A command has no model, whoever ran it and whatever became of it.
        let is_command = self.tool.as_str() == ToolName::COMMAND;
        match (usage.cost_kind, usage.cost_microusd) {
            (CostKind::None, _) => sums.free_runs = 1,
            (CostKind::Reported, Some(cost)) => {
                (sums.reported_runs, sums.reported_microusd) = (1, bounded(cost));
            }
            (CostKind::Priced, Some(cost)) => (sums.priced_runs, sums.priced_microusd) = (1, bounded(cost)),
            (CostKind::Unknown | CostKind::Reported | CostKind::Priced, _) if is_command => sums.free_runs = 1,
            (CostKind::Unknown | CostKind::Reported | CostKind::Priced, _) => sums.unknown_cost_runs = 1,
        }
        let told_tokens = usage.input_tokens.is_some() || usage.output_tokens.is_some();
        sums.unknown_token_runs = i64::from(!told_tokens && sums.free_runs == 0);
        sums
    }
}

fn bounded(told: u64) -> i64 {
    i64::try_from(told.min(MOST)).unwrap_or(i64::MAX)
}

/// A name of bounded length that means the same to every database.
fn plain_model(name: &str) -> String {
    let plain = name.trim().chars().take(MODEL_CHARS);
    plain.map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
