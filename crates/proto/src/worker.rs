//! The conversation of a worker and the coordinator: frames of `/ws/worker/{worker_id}`, and the same
//! content for `POST /workers/{id}/report`.
//!
//! The worker speaks first (`hello`). Every frame is a JSON object with a `type`; a type that is not known is
//! ignored, so that either side can be newer. Every attempt is named by task and attempt, which is the lease's
//! epoch. What must not be lost (results, log lines) is sent again until it is acknowledged.

use serde::{Deserialize, Serialize};
use swarm_model::log::LogLine;
use swarm_model::task::{Limits, Outcome, Repository, RunRecord, TaskInput};
use swarm_model::worker::{AttemptRef, Capabilities, LeaseTerms, Load, RefusalReason};
use swarm_model::{BootId, Isolation, TaskId, TaskNumber, ToolName, UserId, WorkerId};

/// The version of this protocol. A `hello` with another one is answered by closing the socket.
pub const PROTOCOL: u32 = 1;

/// What the worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCoordinator {
    /// First of all.
    Hello(Hello),
    /// Every `heartbeat_ms`.
    Heartbeat {
        /// How busy the machine is.
        #[serde(default)]
        load: Load,
        /// What it works on.
        #[serde(default)]
        running: Vec<AttemptRef>,
    },
    /// Accepts, refusals, progress, log lines and results; they commit together.
    Report(Report),
    /// The tools, slots or labels changed.
    Capabilities(Capabilities),
    /// The owner paused the machine.
    Pause,
    /// The owner resumed it.
    Resume,
    /// The worker is stopping: it takes nothing new and will finish or hand back what it has.
    Drain,
    /// From a newer worker; ignored.
    #[serde(other)]
    Unknown,
}

/// The first frame of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// This start of the agent. The same one goes on with its runs; a new one has lost those it does not name.
    pub boot_id: BootId,
    /// What it brings.
    pub capabilities: Capabilities,
    /// What it works on, or has finished without an acknowledgement yet.
    #[serde(default)]
    pub attempts: Vec<AttemptRef>,
    /// Whether the owner paused the machine.
    #[serde(default)]
    pub paused_by_owner: bool,
}

/// What the coordinator says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// The answer to `hello`.
    Welcome {
        /// Who the worker is.
        worker_id: WorkerId,
        /// How often to report, and how long leases live without.
        #[serde(flatten)]
        terms: LeaseTerms,
        /// Of the attempts in `hello`: these are not yours any more. End them and forget them.
        #[serde(default)]
        stale: Vec<AttemptRef>,
        /// Of the attempts in `hello`: end these and report them as cancelled.
        #[serde(default)]
        cancel: Vec<AttemptRef>,
        /// Of the attempts in `hello`: the highest log number that is stored, so that only the rest is sent again.
        #[serde(default)]
        logs: Vec<LogReceipt>,
        /// Whether the coordinator hands nothing out to this worker now.
        #[serde(default)]
        paused: bool,
    },
    /// New work. Accept or refuse each.
    Assign {
        /// The tasks.
        tasks: Vec<Assignment>,
    },
    /// What of a report is stored, or will never be needed again.
    Ack(ReportReply),
    /// End these and report them as cancelled.
    Cancel {
        /// Which.
        attempts: Vec<AttemptRef>,
    },
    /// A person paused this worker on the coordinator.
    Pause,
    /// The pause is lifted.
    Resume,
    /// Finish what you have; nothing new comes until `resume`.
    Drain,
    /// From a newer coordinator; ignored.
    #[serde(other)]
    Unknown,
}

/// A task given to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Assignment {
    /// The task.
    pub task_id: TaskId,
    /// Its short number.
    pub number: TaskNumber,
    /// The attempt: quote it in everything about this task.
    pub attempt: u32,
    /// Whose task it is; the machine's own grants decide by it.
    pub user_id: UserId,
    /// Whether that user owns this worker.
    pub by_owner: bool,
    /// The tool to run.
    pub tool: ToolName,
    /// The model, where one was wished for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The prompt, or the command line.
    pub description: String,
    /// What the tool is given beside it.
    pub input: TaskInput,
    /// How far it may go.
    #[serde(default)]
    pub limits: Limits,
    /// The repository to work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The only hosts that the run may reach; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<String>>,
    /// How far the run must be kept away from the machine, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// The tool's session of an earlier attempt on this machine, to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_session: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Assignment {
    /// How the worker names it.
    pub fn attempt_ref(&self) -> AttemptRef {
        AttemptRef { task_id: self.task_id, attempt: self.attempt }
    }
}

/// What a worker reports about its attempts; everything in one report commits together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// Work begins on these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AttemptRef>,
    /// These are declined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal>,
    /// How far these are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<Progress>,
    /// What these said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogBatch>,
    /// How these ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<AttemptResult>,
}

/// An assignment declined by the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// Which.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// Why.
    #[serde(flatten)]
    pub reason: RefusalReason,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// From 0 to 100.
    pub progress: u8,
}

/// Lines of one attempt, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogBatch {
    /// Which.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// The lines; their numbers go on from the last acknowledged one.
    pub lines: Vec<LogLine>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptResult {
    /// Which.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The facts of the run.
    #[serde(default)]
    pub record: RunRecord,
}

/// What of a report is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportReply {
    /// These results are stored, as result or as evidence: forget them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<AttemptRef>,
    /// Log lines up to these numbers are stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogReceipt>,
    /// These are not yours any more: end them and forget them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<AttemptRef>,
    /// End these and report them as cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<AttemptRef>,
}

/// Log lines of an attempt that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogReceipt {
    /// Which attempt.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// The highest number that is stored.
    pub received: u64,
}
