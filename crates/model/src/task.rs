//! The task: what is asked for, its state machine, and the record of each attempt.
//!
//! The machine is the one of `ARCHITECTURE.md`. Terminal states have no way out: a retry by a person is a
//! new task. `attempt` counts assignments from 1 and is the epoch of the lease: whoever quotes an older one
//! is told so and changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AtLimit, FailureClass, Isolation, ModelChoice, Role, Timestamp, ToolName, WorkerId};

/// From 1 (whenever) to 10 (first); 5 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// The priority, or `None` outside 1 to 10.
    pub const fn new(value: u8) -> Option<Self> {
        if value >= 1 && value <= 10 { Some(Self(value)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u8::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom(format!("priority {value} is not between 1 and 10")))
    }
}

/// What the tool is given, tagged by the kind of tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TaskInput {
    /// A prompt for a model or an agent. The prompt itself is the task's `description`.
    Prompt {
        /// Instructions that stand before the prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// The tool's own session to go on with, on the machine that has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// A program and its arguments, never a shell.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// What the program reads on standard input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stdin: Option<String>,
        /// Variables added to the scrubbed environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
}

impl Default for TaskInput {
    fn default() -> Self {
        Self::Prompt { system: None, session: None }
    }
}

/// A repository to work on: every run gets a working tree of its own, on a branch of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Repository {
    /// Its address as git takes it, or a path on the machine.
    pub url: String,
    /// A branch, tag or commit to begin from; the repository's own default unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// Which of the three queues a task stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Queue {
    /// For one machine.
    Worker {
        /// Which.
        worker_id: WorkerId,
    },
    /// For any machine that its user may use.
    #[default]
    User,
    /// For any machine that is shared with everyone.
    Global,
}

/// What happens when the worker vanishes in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// It is done again elsewhere: execution is at least once.
    #[default]
    Requeue,
    /// It fails: for what must not be repeated.
    Fail,
}

/// What a machine must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Requirements {
    /// Memory in MiB, at least.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory_mb: u64,
    /// Operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Labels with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How far the run must be kept away from the machine, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How far a task may go. Absent means no limit of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Milliseconds it may stand in the queue before its first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_wait_ms: Option<u64>,
    /// Milliseconds one attempt may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
    /// Milliseconds the tool may say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// Bytes of output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Tokens in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_microusd: Option<u64>,
    /// The only models that may be asked; empty allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
}

/// How often, and after what pause, a task is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RetryPolicy {
    /// Failures after which it is given up. Losses and limits of the account do not count.
    pub max_attempts: u32,
    /// Milliseconds before the first retry; doubles with each further one.
    pub backoff_ms: u64,
    /// The longest pause in milliseconds.
    pub max_backoff_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3, backoff_ms: 1_000, max_backoff_ms: 60_000 }
    }
}

impl RetryPolicy {
    /// The pause before try number `nth` (1 is the first retry): exponential, capped, without jitter.
    pub fn backoff(&self, nth: u32) -> Duration {
        let doubled = self.backoff_ms.saturating_mul(1u64 << nth.saturating_sub(1).min(20));
        Duration::from_millis(doubled.min(self.max_backoff_ms))
    }
}

/// How many losses in a row end a task: it kills its workers.
pub const MAX_LOSSES_IN_A_ROW: u32 = 3;

/// What a person asked for. Fixed at submission, but for what PUT may change while it is queued.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The prompt, or the command line as people read it.
    pub description: String,
    /// What the tool is given beside the description.
    pub input: TaskInput,
    /// The tool that is wished for; none means the best that the machine has for a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// The model that is wished for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it is in a team of models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Who does it, best first, in place of `tool` and `model`; empty means that these stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascade: Vec<ModelChoice>,
    /// What it does at a limit of an account.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_limit: AtLimit,
    /// The repository to work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The only hosts that the run may reach; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Vec<String>>,
    /// Which queue.
    pub queue: Queue,
    /// From 1 to 10.
    pub priority: Priority,
    /// What the machine must have.
    #[serde(default)]
    pub requirements: Requirements,
    /// How far it may go.
    #[serde(default)]
    pub limits: Limits,
    /// How often it is tried.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// What happens when the worker vanishes.
    #[serde(default)]
    pub on_loss: OnLoss,
}

impl TaskSpec {
    /// Tool and model of this entry of its cascade; without one, those that are wished for.
    pub fn way(&self, entry: u32) -> (Option<&ToolName>, Option<&str>) {
        match self.cascade.get(entry as usize).or_else(|| self.cascade.last()) {
            Some(choice) => (Some(&choice.tool), choice.model.as_deref()),
            None => (self.tool.as_ref(), self.model.as_deref()),
        }
    }
}

/// The name of a state, as stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// In a queue, or backing off before it may start again.
    Queued,
    /// Given to a worker that has not answered yet.
    Assigned,
    /// A worker works on it.
    Running,
    /// Waits for a person, a limit or a budget; holds no slot.
    Waiting,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Ended by somebody.
    Cancelled,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Assigned, Self::Running, Self::Waiting, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing can happen to the task any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attempt that belongs to a worker until the coordinator's deadline for it passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// Whose it is.
    pub worker_id: WorkerId,
    /// Which attempt it is: the lease's epoch.
    pub attempt: u32,
}

/// Why a task waits without holding anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A person must decide.
    Approval,
    /// A limit of the account.
    Quota,
    /// A budget must be raised.
    Budget,
}

impl WaitReason {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Quota => "quota",
            Self::Budget => "budget",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Approval, Self::Quota, Self::Budget].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// The state of a task with what belongs to it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// In a queue, not before `ready_at`.
    Queued {
        /// The earliest start: the end of a back-off, or the submission.
        ready_at: Timestamp,
    },
    /// Given to a worker that has not answered yet.
    Assigned {
        /// To whom.
        lease: Lease,
    },
    /// A worker works on it.
    Running {
        /// Who.
        lease: Lease,
        /// Since when somebody wants it ended.
        cancel_requested_at: Option<Timestamp>,
    },
    /// Waits without holding anything.
    Waiting {
        /// For what.
        reason: WaitReason,
        /// Until when, where that is known.
        until: Option<Timestamp>,
    },
    /// Done.
    Completed,
    /// Given up.
    Failed(FailureClass),
    /// Ended by somebody.
    Cancelled,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEvent {
    /// The allocator gives it to a worker.
    Assign(Lease),
    /// The worker of this attempt begins.
    Accept {
        /// The epoch it quotes.
        attempt: u32,
    },
    /// The attempt ends without a result and the task goes back to its queue: refused, lost, or to be retried.
    Requeue {
        /// The epoch.
        attempt: u32,
        /// The earliest next start.
        ready_at: Timestamp,
    },
    /// The attempt ends and the task waits.
    Park {
        /// The epoch.
        attempt: u32,
        /// For what.
        reason: WaitReason,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// A budget that it would draw on is used up before it begins.
    Hold {
        /// Until when, where that is known.
        until: Option<Timestamp>,
    },
    /// What it waited for is there.
    Wake {
        /// The earliest next start.
        ready_at: Timestamp,
    },
    /// The attempt succeeded.
    Complete {
        /// The epoch.
        attempt: u32,
    },
    /// The attempt failed and no other follows.
    GiveUp {
        /// The epoch.
        attempt: u32,
        /// Why.
        class: FailureClass,
    },
    /// The queue wait ran out.
    QueueTimeout,
    /// A person asks for its end.
    Cancel {
        /// When.
        at: Timestamp,
    },
    /// The worker confirms that the process is gone, or its lease ended after a cancel was asked for.
    ConfirmCancel {
        /// The epoch.
        attempt: u32,
    },
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// The event quotes another attempt than the one that holds the lease.
    #[error("attempt {quoted} does not hold the lease; attempt {holds} does")]
    StaleAttempt {
        /// What was quoted.
        quoted: u32,
        /// What holds it.
        holds: u32,
    },
    /// The state has no such way out.
    #[error("a task that is {from} cannot do this")]
    NotFrom {
        /// The state's name.
        from: TaskStatus,
    },
}

impl TaskState {
    /// The state's name.
    pub fn status(&self) -> TaskStatus {
        match self {
            Self::Queued { .. } => TaskStatus::Queued,
            Self::Assigned { .. } => TaskStatus::Assigned,
            Self::Running { .. } => TaskStatus::Running,
            Self::Waiting { .. } => TaskStatus::Waiting,
            Self::Completed => TaskStatus::Completed,
            Self::Failed(_) => TaskStatus::Failed,
            Self::Cancelled => TaskStatus::Cancelled,
        }
    }

    /// The lease, while there is one.
    pub fn lease(&self) -> Option<Lease> {
        match self {
            Self::Assigned { lease } | Self::Running { lease, .. } => Some(*lease),
            Self::Queued { .. } | Self::Waiting { .. } | Self::Completed | Self::Failed(_) | Self::Cancelled => None,
        }
    }

    /// The state after `event`.
    pub fn on(self, event: TaskEvent) -> Result<Self, InvalidTransition> {
        use TaskEvent as E;
        let refused = Err(InvalidTransition::NotFrom { from: self.status() });
        match (self, event) {
            (Self::Queued { .. }, E::Assign(lease)) => Ok(Self::Assigned { lease }),
            (Self::Queued { .. }, E::Hold { until }) => Ok(Self::Waiting { reason: WaitReason::Budget, until }),
            (Self::Queued { .. }, E::QueueTimeout) => Ok(Self::Failed(FailureClass::TimedOut)),
            (Self::Queued { .. } | Self::Assigned { .. } | Self::Waiting { .. }, E::Cancel { .. }) => {
                Ok(Self::Cancelled)
            }

            (Self::Assigned { lease }, E::Accept { attempt }) => {
                lease.check(attempt)?;
                Ok(Self::Running { lease, cancel_requested_at: None })
            }
            (Self::Running { lease, cancel_requested_at }, E::Cancel { at }) => {
                Ok(Self::Running { lease, cancel_requested_at: Some(cancel_requested_at.unwrap_or(at)) })
            }
            (Self::Running { lease, .. }, E::Complete { attempt }) => {
                lease.check(attempt)?;
                Ok(Self::Completed)
            }
            (Self::Running { lease, cancel_requested_at: Some(_) }, E::ConfirmCancel { attempt }) => {
                lease.check(attempt)?;
                Ok(Self::Cancelled)
            }
            (Self::Assigned { lease } | Self::Running { lease, .. }, E::Requeue { attempt, ready_at }) => {
                lease.check(attempt)?;
                Ok(Self::Queued { ready_at })
            }
            (Self::Assigned { lease } | Self::Running { lease, .. }, E::GiveUp { attempt, class }) => {
                lease.check(attempt)?;
                Ok(Self::Failed(class))
            }
            (Self::Running { lease, .. }, E::Park { attempt, reason, until }) => {
                lease.check(attempt)?;
                Ok(Self::Waiting { reason, until })
            }
            (Self::Waiting { .. }, E::Wake { ready_at }) => Ok(Self::Queued { ready_at }),

            (
                Self::Queued { .. },
                E::Accept { .. }
                | E::Requeue { .. }
                | E::Park { .. }
                | E::Wake { .. }
                | E::Complete { .. }
                | E::GiveUp { .. }
                | E::ConfirmCancel { .. },
            )
            | (
                Self::Assigned { .. },
                E::Assign(_)
                | E::Park { .. }
                | E::Hold { .. }
                | E::Wake { .. }
                | E::Complete { .. }
                | E::QueueTimeout
                | E::ConfirmCancel { .. },
            )
            | (
                Self::Running { .. },
                E::Assign(_)
                | E::Accept { .. }
                | E::Hold { .. }
                | E::Wake { .. }
                | E::QueueTimeout
                | E::ConfirmCancel { .. },
            )
            | (
                Self::Waiting { .. },
                E::Assign(_)
                | E::Accept { .. }
                | E::Requeue { .. }
                | E::Park { .. }
                | E::Hold { .. }
                | E::Complete { .. }
                | E::GiveUp { .. }
                | E::QueueTimeout
                | E::ConfirmCancel { .. },
            )
            | (
                Self::Completed | Self::Failed(_) | Self::Cancelled,
                E::Assign(_)
                | E::Accept { .. }
                | E::Requeue { .. }
                | E::Park { .. }
                | E::Hold { .. }
                | E::Wake { .. }
                | E::Complete { .. }
                | E::GiveUp { .. }
                | E::QueueTimeout
                | E::Cancel { .. }
                | E::ConfirmCancel { .. },
            ) => refused,
        }
    }
}

impl Lease {
    /// Checks that `attempt` is the one that holds this lease.
    pub fn check(self, attempt: u32) -> Result<(), InvalidTransition> {
        if self.attempt == attempt {
            Ok(())
        } else {
            Err(InvalidTransition::StaleAttempt { quoted: attempt, holds: self.attempt })
        }
    }
}

/// Tokens and money that a run used. Unknown is absent, never zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Tokens read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<u64>,
    /// Tokens written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the tokens written, those of reasoning, where the tool tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_microusd: Option<u64>,
    /// How the cost is known.
    #[serde(default)]
    pub cost_kind: CostKind,
}

/// How a cost is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// Nobody told.
    #[default]
    Unknown,
    /// The tool told.
    Reported,
    /// From a table of prices.
    Priced,
    /// It costs nothing (a model of one's own, a plain command).
    None,
}

/// A file that a run left behind, kept by its content's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// Path within the working folder, with `/`, never absolute, never with `..`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content, in hexadecimal.
    pub hash: String,
}

/// What a task gives back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskResult {
    /// The answer, or the end of a command's output.
    pub text: String,
    /// A structured answer, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub data: Option<serde_json::Value>,
    /// Files left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
}

/// How an attempt ended, as the worker reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It has a result.
    Completed {
        /// The result.
        result: TaskResult,
    },
    /// It failed.
    Failed {
        /// Why.
        class: FailureClass,
        /// One or two sentences for people.
        error: String,
        /// When a limit of the account ends, where the provider said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resets_at: Option<Timestamp>,
        /// What was there before it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<TaskResult>,
    },
    /// The processes are gone because a cancel was asked for.
    Cancelled {
        /// What was there before the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<TaskResult>,
    },
}

/// The facts of one run, whatever the tool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunRecord {
    /// Which tool ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tool's own session, to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Milliseconds from the start to the first word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_output_ms: Option<u64>,
    /// Milliseconds from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How far it was kept away from the machine; absent where no program ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Turns of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// Calls of tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<u32>,
    /// Files that it made or changed in its working folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<u32>,
    /// The program's exit code; on Unix 128 and the signal where one ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When a limit of the account that ended it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// The end of what a tool wrote that failed, as it wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_tail: Option<String>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// The same by model, where its calls were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelUse>,
}

/// What a run used of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelUse {
    /// The model that answered, or that was asked for where none did.
    pub model: String,
    /// How often it was asked, refusals among them.
    pub calls: u32,
    /// Milliseconds until the first byte of the slowest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// What they used.
    pub usage: Usage,
}

/// Bytes of a tool's raw output that are kept of a run that failed.
pub const RAW_TAIL_BYTES: usize = 4 * 1024;

impl RunRecord {
    /// The facts as they are kept beside this outcome: the raw end only of what failed, and no more than is useful.
    #[must_use]
    pub fn beside(mut self, outcome: &Outcome) -> Self {
        let Outcome::Failed { resets_at, .. } = outcome else {
            return Self { raw_tail: None, ..self };
        };
        self.resets_at = resets_at.or(self.resets_at);
        if let Some(tail) = &mut self.raw_tail {
            tail.drain(..tail.ceil_char_boundary(tail.len().saturating_sub(RAW_TAIL_BYTES)));
        }
        self
    }
}

#[cfg(test)]
mod tests;
