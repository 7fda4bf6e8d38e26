//! Workers and who may do what with them.
//!
//! A worker that was removed keeps its row, because attempts name it; it has no credential and no roles.

use async_trait::async_trait;
use swarm_model::rights::WorkerRole;
use swarm_model::worker::{Capabilities, Load, ShareLimits};
use swarm_model::{GrantId, KeyId, Timestamp, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::token::{NewToken, Revoked};

/// Where workers are kept.
#[async_trait]
pub trait WorkerStore: Send + Sync + std::fmt::Debug {
    /// Enrols a worker, or takes back one that its owner enrolled before: the key loses a use, the worker gets
    /// its credential and its owner their role, and older credentials of the worker end, in one transaction. A
    /// machine that is another worker of the same owner is a [`Conflict::Exists`](crate::Conflict::Exists).
    async fn register(&self, registration: &Registration, audit: &AuditEntry) -> Result<Revoked, StoreError>;

    /// The worker that this machine of `owner` is, unless it was removed.
    async fn worker_of_machine(&self, owner: UserId, machine_id: &str) -> Result<Option<WorkerId>, StoreError>;

    /// One worker, also a removed one.
    async fn worker(&self, worker: WorkerId) -> Result<Option<WorkerRecord>, StoreError>;

    /// The workers that a user has a role on or that are shared, by name; with `all`, every worker.
    async fn workers_for(&self, user: UserId, all: bool) -> Result<Vec<WorkerView>, StoreError>;

    /// Every worker that was not removed.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError>;

    /// Keeps what workers last told. Unknown workers are passed over.
    async fn save_seen(&self, seen: &[Seen]) -> Result<(), StoreError>;

    /// Sets or lifts the coordinator's pause.
    async fn set_pause(&self, worker: WorkerId, paused: bool, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Lets a worker finish and take nothing new, or ends that.
    async fn set_drain(&self, worker: WorkerId, draining: bool, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Opens a worker to the global queue, or closes it.
    async fn set_shared(&self, worker: WorkerId, shared: bool, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Changes the name that people read.
    async fn rename(&self, worker: WorkerId, machine_name: &str, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Takes a worker out: its credentials and roles end.
    async fn remove(&self, worker: WorkerId, audit: &AuditEntry) -> Result<Revoked, StoreError>;

    /// Gives a user a role on a worker, in place of an earlier one.
    async fn grant(&self, grant: &NewGrant, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Ends a user's role on a worker.
    async fn revoke_grant(&self, user: UserId, worker: WorkerId, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Every role on a worker, ended ones too.
    async fn grants(&self, worker: WorkerId) -> Result<Vec<Grant>, StoreError>;

    /// A user's role on a worker.
    async fn role_of(&self, user: UserId, worker: WorkerId) -> Result<Option<WorkerRole>, StoreError>;
}

/// What a machine says of itself when it joins.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Its worker id: new, or the one it had.
    pub worker_id: WorkerId,
    /// The machine's own random id.
    pub machine_id: String,
    /// The name that people read.
    pub machine_name: String,
    /// Whose it is.
    pub owner: UserId,
    /// The key that lets it in; none for the worker that `up` brings.
    pub key: Option<KeyId>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it takes tasks of the global queue.
    pub shared: bool,
    /// The id of its owner's role, where there is none yet.
    pub grant_id: GrantId,
    /// Its credential, of kind [`crate::token::TokenKind::Worker`].
    pub credential: NewToken,
}

/// A worker as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerRecord {
    /// Its id.
    pub worker_id: WorkerId,
    /// The machine's own random id.
    pub machine_id: String,
    /// The name that people read.
    pub machine_name: String,
    /// Whose it is.
    pub owner: UserId,
    /// The key that let it in.
    pub enrolled_by: Option<KeyId>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it takes tasks of the global queue.
    pub shared: bool,
    /// Whether the coordinator's pause stands.
    pub paused: bool,
    /// Whether it finishes and takes nothing new.
    pub draining: bool,
    /// When it joined.
    pub registered_at: Timestamp,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// How busy it said it was.
    pub load: Load,
    /// When it was taken out.
    pub removed_at: Option<Timestamp>,
}

/// A worker as one user stands to it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerView {
    /// The worker.
    pub worker: WorkerRecord,
    /// The user's role on it; none where it is only shared, or seen as admin.
    pub role: Option<WorkerRole>,
}

/// What a worker last told.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which worker.
    pub worker_id: WorkerId,
    /// When.
    pub at: Timestamp,
    /// How busy it is.
    pub load: Load,
    /// What it can do, where that changed.
    pub capabilities: Option<Capabilities>,
}

/// A role to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id, where the user had no role before.
    pub grant_id: GrantId,
    /// To whom.
    pub user_id: UserId,
    /// On which worker.
    pub worker_id: WorkerId,
    /// Which role.
    pub role: WorkerRole,
    /// Within which bounds.
    pub limits: ShareLimits,
}

/// A role as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub grant_id: GrantId,
    /// Whose it is.
    pub user_id: UserId,
    /// On which worker.
    pub worker_id: WorkerId,
    /// Which role.
    pub role: WorkerRole,
    /// Within which bounds.
    pub limits: ShareLimits,
    /// Whether it still counts.
    pub is_active: bool,
    /// Since when.
    pub added_at: Timestamp,
}
