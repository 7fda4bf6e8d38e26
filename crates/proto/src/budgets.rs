//! Budgets: how many tokens, or how much money, may be used in a day, in a month, or in all.

use serde::{Deserialize, Serialize};
use swarm_model::budget::{BudgetPeriod, BudgetUnit};
use swarm_model::{BudgetId, Timestamp, ToolName, UserId, WorkerId};

/// A budget and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Budget {
    /// Its id.
    pub budget_id: BudgetId,
    /// The person whose tasks it counts; absent for a worker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The worker on which it counts whatever runs; absent for a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_name: Option<String>,
    /// The only tool that it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// In what time.
    pub period: BudgetPeriod,
    /// What it counts.
    pub unit: BudgetUnit,
    /// How much may be used.
    pub amount: u64,
    /// How much is used since the period began.
    pub used: u64,
    /// How it stands.
    pub state: BudgetState,
    /// When it begins anew, if it ever does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<Timestamp>,
    /// Who set it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetState {
    /// There is enough of it.
    Open,
    /// 70 % of it is used, or more.
    Warned,
    /// Nothing is left: what would draw on it waits.
    Spent,
}

/// `POST /budgets`. It is the asker's own unless a person or a worker is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateBudget {
    /// The name of the person whose tasks it counts; an admin may name somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The worker on which it counts whatever runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// Only with this tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// In what time.
    pub period: BudgetPeriod,
    /// What it counts.
    pub unit: BudgetUnit,
    /// How much may be used; at least 1.
    pub amount: u64,
}

/// `PUT /budgets/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateBudget {
    /// How much may be used; at least 1.
    pub amount: u64,
}
