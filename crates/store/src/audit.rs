//! The audit: one row for each change of rights, keys, people, pauses and settings, written in the
//! transaction that makes the change.

use serde_json::Value;
use swarm_model::Timestamp;

/// Who did what to what, from where, and what it was before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When; also the time at which the change itself counts.
    pub at: Timestamp,
    /// Who: `user:ID`, `worker:ID`, `key:ID`, `system`.
    pub actor: String,
    /// What was done, in a word: `key_revoked`.
    pub action: String,
    /// To what: `worker:ID`, `setting:swarm_paused`.
    pub subject: String,
    /// Before and after, or what else there is to say.
    pub detail: Option<Value>,
    /// The network address it came from.
    pub from_address: Option<String>,
}

/// An entry as it stands in the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its place; a cursor for readers.
    pub id: i64,
    /// What it says.
    pub entry: AuditEntry,
}

/// Which entries to read, newest first. What is not named is anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Older than this one: where the last page ended.
    pub before: Option<i64>,
    /// Done by.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what.
    pub subject: Option<String>,
    /// At most so many.
    pub limit: usize,
}
