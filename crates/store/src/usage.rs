//! What was used, as it is asked for: sums of days, told apart as somebody wishes.

use std::collections::BTreeSet;

use swarm_model::day::Day;
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_model::{ToolName, UserId, WorkerId};

/// Which sums to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageFilter {
    /// Whose.
    pub scope: UsageScope,
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Only of this person.
    pub user: Option<UserId>,
    /// Only on this worker.
    pub worker: Option<WorkerId>,
    /// Only with this tool.
    pub tool: Option<ToolName>,
    /// Only with this model.
    pub model: Option<String>,
    /// By what they are told apart; by nothing gives one sum.
    pub by: BTreeSet<UsageBy>,
    /// At most so many.
    pub limit: usize,
}

impl UsageFilter {
    /// Everything from one day to another, in one sum.
    pub fn of_days(from: Day, to: Day) -> Self {
        let scope = UsageScope::All;
        Self { scope, from, to, user: None, worker: None, tool: None, model: None, by: BTreeSet::new(), limit: 10_000 }
    }
}

/// Whose sums somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageScope {
    /// Everybody's.
    All,
    /// Those of one's own tasks, and of whatever ran on these workers.
    Of {
        /// Whose tasks.
        user: UserId,
        /// Which workers.
        workers: Vec<WorkerId>,
    },
}

/// One sum, with what it was told apart by. Without runs there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The day.
    pub day: Option<Day>,
    /// The person.
    pub user_id: Option<UserId>,
    /// Their name.
    pub username: Option<String>,
    /// The worker.
    pub worker_id: Option<WorkerId>,
    /// Its name, also of one that was removed.
    pub machine_name: Option<String>,
    /// The tool.
    pub tool: Option<ToolName>,
    /// The model; none also where it is not known.
    pub model: Option<String>,
    /// What was used.
    pub sums: UsageSums,
}

/// By day, then by name. Databases have orders of their own.
pub(crate) fn sort(rows: &mut [UsageRow]) {
    let name = |name: &Option<String>| name.as_ref().map(|name| name.to_lowercase());
    rows.sort_by_cached_key(|row| {
        let who = (name(&row.username), row.user_id);
        let place = (name(&row.machine_name), row.worker_id);
        (row.day, who, place, row.tool.clone(), row.model.clone())
    });
}
