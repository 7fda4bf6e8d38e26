//! What was used: runs, tokens, money and time, summed by day.

use serde::{Deserialize, Serialize};
use swarm_model::day::Day;
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_model::{ToolName, UserId, WorkerId};

/// The query of `GET /usage`. What is not named is anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ReadUsage {
    /// By what sums are told apart: `day`, `user`, `worker`, `tool`, `model`, with commas between them. By `day`
    /// unless said otherwise; by nothing (`by=`) gives one sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The first day, in UTC; 29 days before the last one unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// The last day, in UTC; today unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
    /// Only of this person's tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only what ran on this worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// Only with this tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Only with this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The answer to `GET /usage`. A run belongs to the day in UTC on which it ended. A cost that nobody told is in no
/// sum of money: `unknown_cost_runs` says how many runs that concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageReport {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// By what the sums are told apart.
    pub by: Vec<UsageBy>,
    /// The sums, by day and name.
    pub items: Vec<UsageItem>,
    /// All of them together.
    pub total: UsageSums,
}

/// A sum with what it is told apart by; what the query did not ask for is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageItem {
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// Whose tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// What people call that, or called it before it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_name: Option<String>,
    /// With which tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// With which model; absent also where nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What was used.
    #[serde(flatten)]
    pub sums: UsageSums,
}
