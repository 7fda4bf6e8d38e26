//! Workers as people see them, and how a worker lives by HTTP alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use swarm_model::change::AttemptStatus;
use swarm_model::rights::WorkerRole;
use swarm_model::task::Usage;
use swarm_model::worker::{AttemptRef, Capabilities, LeaseTerms, Load, Pauses, ShareLimits, ToolGrant};
use swarm_model::{BootId, FailureClass, TaskNumber, Timestamp, ToolName, UserId, WorkerId, WorkerStatus};

use crate::fingerprint::Fingerprint;
use crate::worker::Assignment;

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// Its id.
    pub worker_id: WorkerId,
    /// Random, kept in the machine's data folder.
    pub machine_id: String,
    /// What people call it.
    pub machine_name: String,
    /// What it is doing.
    pub status: WorkerStatus,
    /// Why it is paused, where it is.
    pub pauses: Pauses,
    /// Whose it is.
    pub owner_id: UserId,
    /// Whether everyone's global tasks may run on it.
    pub shared: bool,
    /// The asker's role on it; absent for an admin without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<WorkerRole>,
    /// What it brings.
    #[serde(flatten)]
    pub capabilities: Capabilities,
    /// Runs now.
    pub running: u32,
    /// How busy the machine is.
    #[serde(flatten)]
    pub load: Load,
    /// When it last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat: Option<Timestamp>,
    /// Since when it is known.
    pub registered_at: Timestamp,
}

/// `PUT /workers/{id}`, for its owner. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeWorker {
    /// What people call it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_name: Option<String>,
    /// Whether everyone may send tasks to it, as far as the machine grants its tools to everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
}

/// `POST /workers/{id}/shares`: gives somebody a role on a worker, in place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShareWorker {
    /// The person's name.
    pub username: String,
    /// What they may do; `operator` unless said otherwise. An owner decides like you.
    #[serde(default)]
    pub role: Option<WorkerRole>,
    /// Only these tools; every tool that the machine grants them unless said otherwise.
    #[serde(default)]
    pub tools: Option<BTreeSet<ToolName>>,
    /// Runs of theirs at once; as many as the machine has slots unless said otherwise.
    #[serde(default)]
    pub slots: Option<u32>,
}

/// Somebody's role on a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Share {
    /// Who.
    pub user_id: UserId,
    /// Their name.
    pub username: String,
    /// What they may do.
    pub role: WorkerRole,
    /// Within which bounds.
    #[serde(flatten)]
    pub limits: ShareLimits,
    /// Since when.
    pub added_at: Timestamp,
    /// What the machine itself grants them, as it last said. Both must allow a run.
    #[serde(default)]
    pub granted: Vec<ToolGrant>,
}

/// What ran on a worker, as its owner sees it: without the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunOnWorker {
    /// Of which task.
    pub number: TaskNumber,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Whose task it is.
    pub user_id: UserId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it stands or ended.
    pub status: AttemptStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_class: Option<FailureClass>,
    /// When it was given out.
    pub assigned_at: Timestamp,
    /// When the worker began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
}

/// The query of `GET /workers/{id}/runs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ListRuns {
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// Runs on a page; 50 unless said otherwise, 200 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// `POST /workers/register`, with a worker key as bearer token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterWorker {
    /// Random, kept in the machine's data folder, so that registering again finds the same worker.
    pub machine_id: String,
    /// What people will call it.
    pub machine_name: String,
    /// What it brings.
    #[serde(flatten)]
    pub capabilities: Capabilities,
}

/// The answer to registering.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisteredWorker {
    /// Its id.
    pub worker_id: WorkerId,
    /// Its own credential, shown once: send it as `Authorization: Bearer ...` from now on.
    pub credential: String,
}

/// Shows no secret.
impl std::fmt::Debug for RegisteredWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisteredWorker").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}

/// `POST /workers/invitations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InviteWorker {
    /// What to call the key in lists; says for which machine it is.
    #[serde(default)]
    pub name: Option<String>,
}

/// An invitation for one machine, shown once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerInvitation {
    /// The worker key that the link carries.
    pub code: String,
    /// All of it in one line, for `garageswarm worker run --join`.
    pub link: String,
    /// Where the coordinator is reached, the likeliest first.
    pub addresses: Vec<String>,
    /// The certificate that the machine must find there; absent where the usual authorities vouch for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Three words for people to compare with what the machine shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Shows no secret.
impl std::fmt::Debug for WorkerInvitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerInvitation")
            .field("addresses", &self.addresses)
            .field("fingerprint", &self.fingerprint)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// `POST /workers/{id}/heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Heartbeat {
    /// This start of the worker. A new one frees what the old one had and does not name any more.
    pub boot_id: BootId,
    /// What it works on. An attempt that is accepted but not named here is lost.
    #[serde(default)]
    pub running: Vec<AttemptRef>,
    /// How busy the machine is.
    #[serde(default)]
    pub load: Load,
    /// What it brings, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Whether the owner paused it on the machine.
    #[serde(default)]
    pub paused_by_owner: bool,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatReply {
    /// How often to report, and how long the leases live without.
    #[serde(flatten)]
    pub terms: LeaseTerms,
    /// End these and report them as cancelled.
    #[serde(default)]
    pub cancel: Vec<AttemptRef>,
    /// These are not yours any more: end them and forget them.
    #[serde(default)]
    pub stale: Vec<AttemptRef>,
    /// Whether nothing is handed out to this worker now.
    pub paused: bool,
}

/// The query of `GET /workers/{id}/pull-task`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct PullTask {
    /// Milliseconds to wait for a task, at most 30,000; 0 answers at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The answer to `GET /workers/{id}/pull-task`. Asking again gives the same one until it is accepted or refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PulledTask {
    /// The task, or nothing yet.
    pub task: Option<Assignment>,
}
