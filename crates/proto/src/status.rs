//! The swarm at a glance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use swarm_model::{FailureClass, TaskNumber, Timestamp, ToolName, WorkerId, WorkerStatus};

use crate::budgets::Budget;

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SwarmStatus {
    /// The coordinator's version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether nothing is handed out until somebody resumes the swarm.
    pub paused: bool,
    /// The asker's tasks by status.
    pub tasks: BTreeMap<String, u64>,
    /// The workers the asker may see, by status.
    pub workers: BTreeMap<String, u64>,
    /// Free slots on them.
    pub free_slots: u32,
    /// Limits that accounts on them are at: what uses these accounts waits.
    #[serde(default)]
    pub limits: Vec<AccountLimit>,
    /// Budgets of the asker's and of workers that they own of which most is used.
    #[serde(default)]
    pub budgets: Vec<Budget>,
    /// The asker's tasks that wait for a budget; the newest few.
    #[serde(default)]
    pub short: Vec<ShortTask>,
}

/// A task that waits for a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShortTask {
    /// Which.
    pub number: TaskNumber,
    /// For which budget, and what can be done.
    pub detail: String,
}

/// An account with a provider is at its limit. Whatever would use it waits, costs no attempt, and goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountLimit {
    /// What people call the account.
    pub account: String,
    /// The tools that use it.
    pub tools: Vec<ToolName>,
    /// The workers that use it, of those that the asker may see.
    #[serde(default)]
    pub workers: Vec<WorkerId>,
    /// A rate, or the allowance for a window.
    pub class: FailureClass,
    /// What the provider said.
    pub detail: String,
    /// When it was hit last.
    pub since: Timestamp,
    /// When one run finds out whether it is over.
    pub until: Timestamp,
}

/// How many workers have a status.
pub fn count_workers(statuses: impl IntoIterator<Item = WorkerStatus>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status.as_str().to_owned()).or_insert(0) += 1;
    }
    counts
}
