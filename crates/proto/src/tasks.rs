//! Tasks, their attempts, logs, artifacts and placement.

use serde::{Deserialize, Serialize};
use swarm_model::change::{AttemptOutcome, AttemptStatus};
use swarm_model::course::{Spent, Try};
use swarm_model::log::LogEntry;
use swarm_model::task::{
    Limits, OnLoss, Priority, Queue, Repository, Requirements, RetryPolicy, RunRecord, TaskInput, TaskResult,
    WaitReason,
};
use swarm_model::{
    AtLimit, FailureClass, ModelChoice, Role, RunId, TaskId, TaskNumber, TaskStatus, Timestamp, ToolName, UserId,
    WorkerId, WorkflowId,
};

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// Its short number, accepted wherever an id is.
    pub number: TaskNumber,
    /// Whose it is.
    pub user_id: UserId,
    /// Who has it, or had it last.
    pub worker_id: Option<WorkerId>,
    /// The workflow it belongs to.
    pub workflow_id: Option<WorkflowId>,
    /// The run it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The node it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The prompt, or the command line.
    pub description: String,
    /// What the tool is given beside the description.
    pub input: TaskInput,
    /// The tool that is wished for.
    pub tool: Option<ToolName>,
    /// The model that is wished for.
    pub model: Option<String>,
    /// What it is in a team of models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Who does it, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascade: Vec<ModelChoice>,
    /// The entries of it that came to nothing so far, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// What it does at a limit of an account.
    #[serde(default)]
    pub at_limit: AtLimit,
    /// The repository to work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The only hosts that the run may reach; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<String>>,
    /// Which queue it stands in.
    pub queue: Queue,
    /// What the machine must have.
    pub requirements: Requirements,
    /// How far it may go.
    pub limits: Limits,
    /// How often it is tried.
    pub retry: RetryPolicy,
    /// What happens when the worker vanishes.
    pub on_loss: OnLoss,
    /// Where it stands.
    pub status: TaskStatus,
    /// From 0 to 100, where the tool tells.
    pub progress: Option<u8>,
    /// From 1 to 10.
    pub priority: Priority,
    /// What it gave back.
    pub result: Option<TaskResult>,
    /// Why it failed, or why the last attempt did, in a sentence.
    pub error: Option<String>,
    /// The same for programs.
    pub failure_class: Option<FailureClass>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<WaitReason>,
    /// Until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_until: Option<Timestamp>,
    /// The same in a sentence, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_detail: Option<String>,
    /// What attempts used that ended without a result; it counts against `limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Spent>,
    /// How often it was assigned.
    pub attempt: u32,
    /// Failures that counted against `retry.max_attempts`.
    pub failures: u32,
    /// The earliest start while it is queued.
    pub ready_at: Timestamp,
    /// Since when somebody wants it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// Log entries so far.
    pub log_seq: u64,
    /// Counts changes; give it with PUT.
    pub version: i64,
    /// The task that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<TaskId>,
    /// The key under which it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// The first start.
    pub started_at: Option<Timestamp>,
    /// The end.
    pub completed_at: Option<Timestamp>,
    /// Every attempt with its record, the first one first; only where one task is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// `POST /tasks`, and each member of `POST /tasks/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateTask {
    /// The prompt. May be left out for a command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The tool; none means the best that the machine has for a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the tool is given beside the description; a command needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<TaskInput>,
    /// What it is in a team of models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Who does it, best first, in place of `tool` and `model`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascade: Vec<ModelChoice>,
    /// What it does at a limit of an account; without a cascade and a tool, `next` goes through every tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_limit: Option<AtLimit>,
    /// The repository to work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The only hosts that the run may reach; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<String>>,
    /// From 1 to 10; 5 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Which queue; the user's unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Short for the queue of this worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// What the machine must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Requirements>,
    /// How far it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How often it is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What happens when the worker vanishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_loss: Option<OnLoss>,
    /// The same key from the same user gives the same task, however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// `POST /tasks/batch`: all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateTasks {
    /// The tasks, at most 1,000.
    pub tasks: Vec<CreateTask>,
}

/// The answer to `POST /tasks/batch`, in the order of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedTasks {
    /// What stands in the queue now.
    pub tasks: Vec<CreatedTask>,
}

/// A task that was submitted in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedTask {
    /// Its id.
    pub task_id: TaskId,
    /// Its short number.
    pub number: TaskNumber,
    /// Where it stands.
    pub status: TaskStatus,
}

/// `PUT /tasks/{id}`: changes a queued task, or the limits of one that waits for a budget. What is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateTask {
    /// The version that was read; another one gives 409.
    pub version: i64,
    /// The prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// From 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How far it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// The query of `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ListTasks {
    /// Statuses, with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// A tool that was wished for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// A worker that has it or had it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// A piece of the description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Submitted at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Submitted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows a page, 1 to 500; 50 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The query of `GET /tasks/{id}/logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct ReadLog {
    /// Only entries with a higher number.
    #[serde(default)]
    pub after: u64,
    /// Entries, 1 to 5,000; 1,000 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Milliseconds to wait for a new entry or the task's end, at most 30,000; 0 answers at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The answer to `GET /tasks/{id}/logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPage {
    /// In order, without gaps.
    pub entries: Vec<LogEntry>,
    /// Give this as `after` next.
    pub next_after: u64,
    /// Where the task stood when this was read.
    pub status: TaskStatus,
    /// Whether no entry will ever follow: the task has ended and this is its last page.
    pub complete: bool,
}

/// One assignment of a task, and the record of what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// Its count, from 1.
    pub attempt: u32,
    /// To whom.
    pub worker_id: WorkerId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where one was wished for.
    pub model: Option<String>,
    /// Where it stands.
    pub status: AttemptStatus,
    /// How it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// When it was given out.
    pub assigned_at: Timestamp,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
    /// The same in a sentence.
    pub error: Option<String>,
    /// Whether another try of such a failure may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// The facts of the run, also where its result came too late.
    pub record: Option<RunRecord>,
    /// Whether a result came too late and is kept as evidence.
    pub has_late_result: bool,
}

/// A file that a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskArtifact {
    /// Which attempt left it.
    pub attempt: u32,
    /// Path within the working folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content, in hexadecimal.
    pub hash: String,
    /// Where to get it.
    pub url: String,
}

/// `GET /tasks/{id}/placement`: why it is where it is, or why nothing fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Placement {
    /// One sentence for people.
    pub summary: String,
    /// Tasks that would be given out before this one, while it is queued.
    pub ahead: Option<u64>,
    /// Every worker that was looked at, the best one first.
    pub candidates: Vec<Candidate>,
}

/// A worker that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// Which.
    pub worker_id: WorkerId,
    /// What people call it.
    pub machine_name: String,
    /// Whether it could take the task now.
    pub eligible: bool,
    /// Its points, where it could take it.
    pub score: Option<Score>,
    /// What rules it out: one short sentence each.
    pub reasons: Vec<String>,
}

/// Points of a worker for a task; 100 at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// Of 40: how well tool and model fit.
    pub r#match: f32,
    /// Of 30: how free it is.
    pub availability: f32,
    /// Of 20: how little it had lately.
    pub balance: f32,
    /// Of 10: whether it worked for this user lately.
    pub affinity: f32,
    /// The sum.
    pub total: f32,
}
