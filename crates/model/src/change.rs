//! What one commit writes about tasks: rows, not intentions.
//!
//! The engine decides (`swarm-engine`), the store writes (`swarm-store`). A row of a task is written whole
//! and guarded by its `version`, so that a store need not know the state machine and still refuses every
//! write that was decided on old knowledge.

use serde::{Deserialize, Serialize};

use crate::course::Course;
use crate::log::LogLine;
use crate::task::{Outcome, RunRecord, TaskSpec, WaitReason};
use crate::tool::Account;
use crate::usage::{UsageKey, UsageSums};
use crate::{
    EventId, FailureClass, RunId, TaskId, TaskNumber, TaskStatus, Timestamp, ToolName, UserId, WorkerId, WorkflowId,
};

/// What never changes about a task, but for the spec, which PUT may change while it is queued.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskHead {
    /// Its id.
    pub task_id: TaskId,
    /// Its short number.
    pub number: TaskNumber,
    /// Whose it is.
    pub user_id: UserId,
    /// The workflow it belongs to.
    pub workflow_id: Option<WorkflowId>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// The node it carries out.
    pub node: Option<String>,
    /// What is asked for.
    pub spec: TaskSpec,
    /// The task that a person tried again.
    pub retry_of: Option<TaskId>,
    /// The same key from the same user gives the same task.
    pub idempotency_key: Option<String>,
    /// W3C trace context of the submission.
    pub traceparent: Option<String>,
    /// When it was submitted.
    pub created_at: Timestamp,
}

/// The part of a task's row that moves. Written whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Counts the writes of this row, from 1.
    pub version: i64,
    /// The state's name.
    pub status: TaskStatus,
    /// Who has it, or had it last.
    pub worker_id: Option<WorkerId>,
    /// How often it was assigned; the epoch of the lease.
    pub attempt: u32,
    /// Failures that counted.
    pub failures: u32,
    /// Losses in a row.
    pub losses: u32,
    /// The earliest start while it is queued.
    pub ready_at: Timestamp,
    /// The first start.
    pub started_at: Option<Timestamp>,
    /// The end.
    pub completed_at: Option<Timestamp>,
    /// From 0 to 100, where the tool tells.
    pub progress: Option<u8>,
    /// Why it waits.
    pub wait_reason: Option<WaitReason>,
    /// Until when it waits.
    pub wait_until: Option<Timestamp>,
    /// Since when somebody wants it ended.
    pub cancel_requested_at: Option<Timestamp>,
    /// Why it failed, or why the last attempt did.
    pub failure_class: Option<FailureClass>,
    /// The same in a sentence.
    pub error: Option<String>,
    /// Log entries so far.
    pub log_seq: u64,
    /// What it remembers from one attempt to the next; most tasks remember nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Box<Course>>,
}

impl TaskRow {
    /// What it remembers, to be added to.
    pub fn course_mut(&mut self) -> &mut Course {
        self.course.get_or_insert_default()
    }
}

/// A new task with the state it has at the end of the commit.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertTask {
    /// What never changes.
    pub head: TaskHead,
    /// What moves; `version` is 1.
    pub row: TaskRow,
}

/// A write of a known task.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateTask {
    /// Which.
    pub number: TaskNumber,
    /// The new row; the store has `version - 1` or refuses.
    pub row: TaskRow,
    /// The result as JSON text ([`crate::task::TaskResult`]), when this commit completes the task or keeps a partial one.
    pub result: Option<String>,
    /// The new spec, when a person edited a queued task.
    pub spec: Option<TaskSpec>,
}

/// A new assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    /// Of which task.
    pub number: TaskNumber,
    /// Its count, from 1.
    pub attempt: u32,
    /// To whom.
    pub worker_id: WorkerId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where one was wished for.
    pub model: Option<String>,
    /// When.
    pub assigned_at: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// Given out, no answer yet.
    Assigned,
    /// The worker works on it.
    Running,
    /// Its result is the task's.
    Completed,
    /// It failed.
    Failed,
    /// The worker declined.
    Refused,
    /// The worker vanished, or forgot it.
    Lost,
    /// Somebody ended it.
    Cancelled,
}

impl AttemptStatus {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Assigned, Self::Running, Self::Completed, Self::Failed, Self::Refused, Self::Lost, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// How an attempt ended, as people ask: is it done, is it over, or what does it wait for?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Its result is the task's.
    Completed,
    /// It failed.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// It failed for something that only a person can mend: a sign-in, a key, a budget, a missing tool.
    NeedsHuman,
    /// It met a limit of the account and waits for its end.
    Parked,
    /// The worker declined.
    Refused,
    /// The worker vanished, or forgot it.
    Lost,
}

impl AttemptOutcome {
    /// The outcome of an attempt in this state; none while it is open.
    pub fn of(status: AttemptStatus, class: Option<FailureClass>) -> Option<Self> {
        use FailureClass as F;
        Some(match (status, class) {
            (AttemptStatus::Assigned | AttemptStatus::Running, _) => return None,
            (AttemptStatus::Completed, _) => Self::Completed,
            (AttemptStatus::Refused, _) => Self::Refused,
            (AttemptStatus::Lost, _) => Self::Lost,
            (AttemptStatus::Cancelled, _) => Self::Cancelled,
            (AttemptStatus::Failed, Some(F::RateLimited | F::Quota)) => Self::Parked,
            (AttemptStatus::Failed, Some(F::ToolMissing | F::NeedsLogin | F::Auth | F::Budget)) => Self::NeedsHuman,
            (AttemptStatus::Failed, _) => Self::Failed,
        })
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NeedsHuman => "needs_human",
            Self::Parked => "parked",
            Self::Refused => "refused",
            Self::Lost => "lost",
        }
    }
}

/// A write of a known attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateAttempt {
    /// Of which task.
    pub number: TaskNumber,
    /// Which attempt.
    pub attempt: u32,
    /// Its state now.
    pub status: AttemptStatus,
    /// When the worker began; absent keeps what is stored.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
    /// The same in a sentence.
    pub error: Option<String>,
    /// The facts of the run, as JSON text ([`RunRecord`]).
    pub record: Option<String>,
}

/// Lines of one attempt, numbered for the task.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendLog {
    /// Of which task.
    pub number: TaskNumber,
    /// Which attempt said them.
    pub attempt: u32,
    /// The task's number of the first line; the others follow without gaps.
    pub first_seq: u64,
    /// The lines, in order.
    pub lines: Vec<LogLine>,
}

/// What attempts that ended in a commit add to the sums of a day. Each attempt is in one of them, or used nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddUsage {
    /// To which sums; each at most once in a commit.
    pub key: UsageKey,
    /// What.
    pub sums: UsageSums,
}

/// A result that came too late: kept beside its attempt, changes nothing about the task. What it used was used: where
/// nothing was known of that run, the facts become its attempt's, and the sums are put right.
#[derive(Debug, Clone, PartialEq)]
pub struct LateResult {
    /// Of which task.
    pub task_id: TaskId,
    /// Which attempt.
    pub attempt: u32,
    /// Who says so; the store keeps it only if the attempt was theirs.
    pub worker_id: WorkerId,
    /// What was reported.
    pub outcome: Outcome,
    /// The facts of the run.
    pub record: RunRecord,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A task was submitted.
    TaskQueued,
    /// A task was given to a worker.
    TaskAssigned,
    /// A worker began.
    TaskRunning,
    /// A worker declined.
    TaskRefused,
    /// An attempt ended and the task is queued again.
    TaskRequeued,
    /// A task waits.
    TaskWaiting,
    /// Somebody asked for the end of a running task.
    TaskCancelRequested,
    /// Done.
    TaskCompleted,
    /// Given up.
    TaskFailed,
    /// Ended by somebody.
    TaskCancelled,
    /// A person changed a queued task.
    TaskEdited,
    /// A result came too late.
    TaskLateResult,
    /// A worker connected or came back.
    WorkerOnline,
    /// A worker left or fell silent.
    WorkerOffline,
    /// A worker was paused, resumed, drained, changed or removed.
    WorkerChanged,
    /// The swarm was paused or resumed as a whole.
    SwarmChanged,
    /// Most of a budget is used.
    BudgetWarned,
    /// A budget is used up: what would draw on it waits.
    BudgetSpent,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::TaskQueued,
        Self::TaskAssigned,
        Self::TaskRunning,
        Self::TaskRefused,
        Self::TaskRequeued,
        Self::TaskWaiting,
        Self::TaskCancelRequested,
        Self::TaskCompleted,
        Self::TaskFailed,
        Self::TaskCancelled,
        Self::TaskEdited,
        Self::TaskLateResult,
        Self::WorkerOnline,
        Self::WorkerOffline,
        Self::WorkerChanged,
        Self::SwarmChanged,
        Self::BudgetWarned,
        Self::BudgetSpent,
    ];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskQueued => "task_queued",
            Self::TaskAssigned => "task_assigned",
            Self::TaskRunning => "task_running",
            Self::TaskRefused => "task_refused",
            Self::TaskRequeued => "task_requeued",
            Self::TaskWaiting => "task_waiting",
            Self::TaskCancelRequested => "task_cancel_requested",
            Self::TaskCompleted => "task_completed",
            Self::TaskFailed => "task_failed",
            Self::TaskCancelled => "task_cancelled",
            Self::TaskEdited => "task_edited",
            Self::TaskLateResult => "task_late_result",
            Self::WorkerOnline => "worker_online",
            Self::WorkerOffline => "worker_offline",
            Self::WorkerChanged => "worker_changed",
            Self::SwarmChanged => "swarm_changed",
            Self::BudgetWarned => "budget_warned",
            Self::BudgetSpent => "budget_spent",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One line of what happened, in the order of commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRecord {
    /// Its place in the order of commits.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Whose task it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNumber>,
    /// Which worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
    /// Which attempt of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// A word on why, where the kind does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A limit of an account with a provider, which holds up everything that would hit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLimit {
    /// Whose it is.
    pub account: Account,
    /// Of what kind: a rate, or an allowance for a window.
    pub class: FailureClass,
    /// What the provider said, in a sentence.
    pub detail: String,
    /// When it was hit last.
    pub since: Timestamp,
    /// When it may be over, and one run tries.
    pub until: Timestamp,
}

impl AccountLimit {
    /// What holds work up, for people.
    pub fn sentence(&self) -> String {
        let Self { account, detail, until, .. } = self;
        format!("the account {} is at its limit until {until}: {detail}", account.label)
    }
}

/// A limit of an account that was hit, or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitChange {
    /// It was hit, or hit again.
    Hit(AccountLimit),
    /// The provider answers again.
    Over {
        /// The account's id.
        account_id: String,
    },
}

/// Everything that one commit writes about tasks. Applied in the order of the fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// New tasks.
    pub inserts: Vec<InsertTask>,
    /// Writes of known tasks; each task at most once.
    pub updates: Vec<UpdateTask>,
    /// New assignments.
    pub opened: Vec<OpenAttempt>,
    /// Writes of attempts that were opened by an earlier commit; each at most once.
    pub attempts: Vec<UpdateAttempt>,
    /// What those of them used that ended.
    pub usage: Vec<AddUsage>,
    /// Log lines.
    pub logs: Vec<AppendLog>,
    /// Results that came too late.
    pub late: Vec<LateResult>,
    /// Limits of accounts that were hit or are over; each account at most once.
    pub limits: Vec<LimitChange>,
    /// What happened, in order.
    pub events: Vec<EventRecord>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.inserts.is_empty()
            && self.updates.is_empty()
            && self.opened.is_empty()
            && self.attempts.is_empty()
            && self.usage.is_empty()
            && self.logs.is_empty()
            && self.late.is_empty()
            && self.limits.is_empty()
            && self.events.is_empty()
    }
}

/// A task that has not ended, as the store gives it to a coordinator that starts.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveTask {
    /// What never changes.
    pub head: TaskHead,
    /// What moves.
    pub row: TaskRow,
    /// Log lines of the current attempt that are stored: the worker's highest number.
    pub log_received: u64,
    /// The attempt that is open, while a worker has the task.
    pub open: Option<LiveAttempt>,
}

/// An attempt that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAttempt {
    /// With which tool it was given out.
    pub tool: ToolName,
    /// With which model, where one was wished for.
    pub model: Option<String>,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_who_has_the_next_word() {
        let failed = |class| AttemptOutcome::of(AttemptStatus::Failed, Some(class)).map(AttemptOutcome::as_str);
        assert_eq!(failed(FailureClass::Quota), Some("parked"));
        assert_eq!(failed(FailureClass::NeedsLogin), Some("needs_human"));
        assert_eq!(failed(FailureClass::Server), Some("failed"));
        assert_eq!(AttemptOutcome::of(AttemptStatus::Running, None), None);
        let lost = AttemptOutcome::of(AttemptStatus::Lost, Some(FailureClass::Lost)).unwrap();
        assert_eq!(serde_json::to_value(lost).unwrap(), lost.as_str());
    }
}
