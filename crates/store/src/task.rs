//! Tasks, their attempts, logs and events.
//!
//! The engine decides and the store writes: [`TaskStore::commit`] is the only way in for a task's state, it
//! is one transaction, and it refuses what was decided on an older version of a row.

use std::collections::BTreeMap;

use async_trait::async_trait;
use swarm_model::budget::Budget;
use swarm_model::change::{AccountLimit, AttemptStatus, Changes, EventRecord, LiveTask, TaskHead, TaskRow};
use swarm_model::invariants::AuditedTask;
use swarm_model::log::LogEntry;
use swarm_model::task::{Outcome, RunRecord, TaskResult};
use swarm_model::{
    EventId, FailureClass, TaskId, TaskNumber, TaskRef, TaskStatus, Timestamp, ToolName, UserId, WorkerId,
};

use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::usage::{UsageFilter, UsageRow};

/// Where tasks are kept.
#[async_trait]
pub trait TaskStore: Send + Sync + std::fmt::Debug {
    /// Writes everything or nothing. [`crate::Conflict::StaleVersion`] if any row was written since the
    /// decision, [`crate::Conflict::IdempotencyKey`] if a key is taken.
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Every task that has not ended, by number.
    async fn load_live(&self) -> Result<Vec<LiveTask>, StoreError>;

    /// The limits of accounts that were hit and not found to be over, by the account's id.
    async fn account_limits(&self) -> Result<Vec<AccountLimit>, StoreError>;

    /// The budgets on which tasks draw, the oldest first.
    async fn budgets(&self) -> Result<Vec<Budget>, StoreError>;

    /// The highest numbers ever given out.
    async fn counters(&self) -> Result<Counters, StoreError>;

    /// One task.
    async fn task(&self, task: TaskRef) -> Result<Option<StoredTask>, StoreError>;

    /// The tasks of those users that have those idempotency keys, in no order.
    async fn tasks_by_key(&self, keys: &[(UserId, String)]) -> Result<Vec<StoredTask>, StoreError>;

    /// The newest tasks that fit, newest first.
    async fn list(&self, filter: &TaskFilter) -> Result<Vec<TaskSummary>, StoreError>;

    /// The attempts of a task, the first one first.
    async fn attempts(&self, number: TaskNumber) -> Result<Vec<StoredAttempt>, StoreError>;

    /// What ran on a worker, the newest first: at most `limit` attempts of the tasks from `from` to below `before`.
    async fn attempts_on(
        &self,
        worker: WorkerId,
        from: TaskNumber,
        before: TaskNumber,
        limit: usize,
    ) -> Result<Vec<AttemptOnWorker>, StoreError>;

    /// The lines of a task after `after_seq`, at most `limit` of them and at most about 4 MiB of text.
    async fn log(&self, number: TaskNumber, after_seq: u64, limit: usize) -> Result<LogPage, StoreError>;

    /// Events after `after` that `scope` may see, in their order.
    async fn events_after(
        &self,
        after: EventId,
        scope: &EventScope,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError>;

    /// The oldest event that retention has left.
    async fn oldest_event(&self) -> Result<Option<EventId>, StoreError>;

    /// Removes a task that has ended, with its attempts, log and artifacts.
    async fn delete_task(&self, number: TaskNumber, version: i64, audit: &AuditEntry) -> Result<(), StoreError>;

    /// How many tasks are in which state; of one user, or of all.
    async fn counts(&self, user: Option<UserId>) -> Result<TaskCounts, StoreError>;

    /// What was used, by day and name: at most `filter.limit` sums. What was deleted since is in them.
    async fn usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError>;

    /// The next tasks after `after` with what their invariants are checked on
    /// ([`swarm_model::invariants::check_tasks`]). Logs that retention removed count as there.
    async fn audit(&self, after: TaskNumber, limit: usize) -> Result<Vec<AuditedTask>, StoreError>;
}

/// Tasks by state; a state without tasks is absent.
pub type TaskCounts = BTreeMap<TaskStatus, u64>;

/// The highest numbers ever given out, also where retention has removed what bore them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Of a task; zero before the first.
    pub last_number: TaskNumber,
    /// Of an event; zero before the first.
    pub last_event: EventId,
}

/// A task with its result.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTask {
    /// What never changes.
    pub head: TaskHead,
    /// What moves.
    pub row: TaskRow,
    /// The result, or what was there before it failed.
    pub result: Option<TaskResult>,
}

/// A task without its result, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// What never changes.
    pub head: TaskHead,
    /// What moves.
    pub row: TaskRow,
}

/// Which tasks to list. The default is all of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// In one of these states; empty means any.
    pub statuses: Vec<TaskStatus>,
    /// That wish for this tool.
    pub tool: Option<ToolName>,
    /// That this worker has, or had last.
    pub worker: Option<WorkerId>,
    /// Whose description contains this, whatever the case of ASCII letters.
    pub text: Option<String>,
    /// Submitted at this time or later.
    pub created_after: Option<Timestamp>,
    /// Submitted before this time.
    pub created_before: Option<Timestamp>,
    /// Older than this one: where the last page ended.
    pub before: Option<TaskNumber>,
    /// At most so many.
    pub limit: usize,
}

/// An attempt as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAttempt {
    /// Its count, from 1.
    pub attempt: u32,
    /// To whom it was given.
    pub worker_id: WorkerId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where one was wished for.
    pub model: Option<String>,
    /// Its state.
    pub status: AttemptStatus,
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
    /// The facts of the run, also where its result came too late.
    pub record: Option<RunRecord>,
    /// What came after it had ended without a result.
    pub late: Option<LateReport>,
}

/// An attempt as the owner of its machine sees it: without the text of its task.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptOnWorker {
    /// Of which task.
    pub task_id: TaskId,
    /// Its short number.
    pub number: TaskNumber,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Whose task it is.
    pub user_id: UserId,
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where one was wished for.
    pub model: Option<String>,
    /// Its state.
    pub status: AttemptStatus,
    /// When it was given out.
    pub assigned_at: Timestamp,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
    /// The facts of the run.
    pub record: Option<RunRecord>,
}

/// A report that came too late and changed nothing.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LateReport {
    /// What was reported.
    pub outcome: Outcome,
    /// The facts of the run.
    pub record: RunRecord,
}

/// A page of a task's log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogPage {
    /// The lines, in order and without gaps.
    pub entries: Vec<LogEntry>,
    /// The number of the newest line of the task; zero where there is none.
    pub last_seq: u64,
    /// The number of the oldest line that is still kept; one past `last_seq` where none is. A reader who wants
    /// an older one is told that it is gone.
    pub oldest_seq: u64,
}

/// Whose events to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventScope {
    /// Everything.
    All,
    /// Those of one's own tasks and of these workers, and those that concern everyone.
    Of {
        /// Whose tasks.
        user: UserId,
        /// Which workers; of the tasks of others on them nothing is told.
        workers: Vec<WorkerId>,
    },
}
