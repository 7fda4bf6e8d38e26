//! Roles: who does them for a person, best first, and what happens at a limit.

use serde::{Deserialize, Serialize};
use swarm_model::{AtLimit, ModelChoice, Role};

/// `GET /roles`: what holds for the asker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Roles {
    /// What a task with a cascade does at a limit of an account, unless it says otherwise itself.
    pub at_limit: AtLimit,
    /// Of which day the shipped lists are.
    pub shipped_as_of: String,
    /// Every role.
    pub items: Vec<RoleList>,
}

/// Who does a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleList {
    /// Which role.
    pub role: Role,
    /// Whether the asker chose it; else it is the shipped list.
    pub is_own: bool,
    /// Who does it, best first.
    pub entries: Vec<ModelChoice>,
}

/// `PUT /roles/{role}`: from the next task on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    /// Who does it, best first; 1 to 16 entries.
    pub entries: Vec<ModelChoice>,
}

/// `PUT /roles`: from the next task on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetAtLimit {
    /// What a task with a cascade does at a limit of an account.
    pub at_limit: AtLimit,
}
