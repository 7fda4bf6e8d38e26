//! The audit, as admins and, of themselves, everybody reads it.

use serde::{Deserialize, Serialize};
use swarm_model::Timestamp;

/// A member of `GET /audit`: somebody did something to something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// Its number; greater ones are newer.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `user:ID`, `key:ID`, `worker:ID` or `system`.
    pub actor: String,
    /// The name of the person who did it, where it was one and they are still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// What was done, in a word: `key_revoked`.
    pub action: String,
    /// To what: `worker:ID`, `setting:swarm_paused`.
    pub subject: String,
    /// What there is to say about it, as before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
    /// The network address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_address: Option<String>,
}

/// The query of `GET /audit`. What is not named is anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// Entries on a page; 50 unless said otherwise, 500 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Done by, as `user:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What was done, as `key_revoked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// To what, as `worker:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}
