//! What keeps a store small and accountable: retention and the audit.

use std::time::Duration;

use async_trait::async_trait;
use swarm_model::Timestamp;

use crate::audit::{AuditFilter, AuditRecord};
use crate::error::StoreError;

/// Retention and the audit.
#[async_trait]
pub trait Housekeeping: Send + Sync + std::fmt::Debug {
    /// Removes what is older than `retention` says, in small transactions between which others may write.
    /// Tasks that have not ended are left alone with all that belongs to them.
    async fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Swept, StoreError>;

    /// The audit entries that fit, newest first.
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError>;

    /// Ends the store: writes what is pending to its place and lets go of the database.
    async fn close(&self) -> Result<(), StoreError>;
}

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Tasks after their end, with everything that belongs to them.
    pub tasks: Duration,
    /// Log lines after their task's end.
    pub logs: Duration,
    /// Events.
    pub events: Duration,
    /// Audit entries.
    pub audit: Duration,
    /// Tokens, links and invitations after they ended.
    pub credentials: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
        Self { tasks: days(90), logs: days(30), events: days(14), audit: days(365), credentials: days(30) }
    }
}

/// How much retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Tasks.
    pub tasks: u64,
    /// Tasks whose log went while they stayed.
    pub logs: u64,
    /// Events.
    pub events: u64,
    /// Audit entries.
    pub audit: u64,
    /// Tokens, links and invitations.
    pub credentials: u64,
}
