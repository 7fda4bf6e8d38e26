//! [`TaskStore`] in memory, for simulation: the same answers, no disk, no time.
//!
//! It refuses what the SQL one refuses: a commit is checked whole before the first row changes. It keeps no
//! audit, because simulation has no people.

mod state;
mod usage;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use swarm_model::budget::Budget;
use swarm_model::change::{AccountLimit, Changes, EventRecord, LiveAttempt, LiveTask};
use swarm_model::invariants::AuditedTask;
use swarm_model::{EventId, TaskNumber, TaskRef, TaskStatus, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::{Conflict, StoreError};
use crate::memory::state::State;
use crate::task::{
    AttemptOnWorker, Counters, EventScope, LogPage, StoredAttempt, StoredTask, TaskCounts, TaskFilter, TaskStore,
    TaskSummary,
};
use crate::usage::{UsageFilter, UsageRow};

/// Tasks in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A thread that panicked left the state as it was: changes are made after every check.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut state = self.state();
        state.check(changes)?;
        state.apply(changes);
        Ok(())
    }

    async fn load_live(&self) -> Result<Vec<LiveTask>, StoreError> {
        let state = self.state();
        let live = state.tasks.iter().filter(|(_, task)| !task.row.status.is_terminal());
        Ok(live
            .map(|(number, task)| LiveTask {
                head: task.head.clone(),
                row: task.row.clone(),
                log_received: state.log_received(*number, task.row.attempt),
                open: state.attempts.get(&(*number, task.row.attempt)).filter(|_| is_open(task.row.status)).map(
                    |attempt| LiveAttempt {
                        tool: attempt.tool.clone(),
                        model: attempt.model.clone(),
                        started_at: attempt.started_at,
                    },
                ),
            })
            .collect())
    }

    async fn account_limits(&self) -> Result<Vec<AccountLimit>, StoreError> {
        Ok(self.state().limits.values().cloned().collect())
    }

    /// Simulation sets none.
    async fn budgets(&self) -> Result<Vec<Budget>, StoreError> {
        Ok(Vec::new())
    }

    async fn counters(&self) -> Result<Counters, StoreError> {
        let state = self.state();
        let last_event = state.events.last().map_or(EventId(0), |event| event.id);
        Ok(Counters { last_number: TaskNumber(state.last_number), last_event })
    }

    async fn task(&self, task: TaskRef) -> Result<Option<StoredTask>, StoreError> {
        let state = self.state();
        Ok(match task {
            TaskRef::Number(number) => state.tasks.get(&number).cloned(),
            TaskRef::Id(id) => state.tasks.values().find(|task| task.head.task_id == id).cloned(),
        })
    }

    async fn tasks_by_key(&self, keys: &[(UserId, String)]) -> Result<Vec<StoredTask>, StoreError> {
        let has_key = |task: &&StoredTask| {
            keys.iter().any(|(user, key)| task.head.user_id == *user && task.head.idempotency_key.as_ref() == Some(key))
        };
        Ok(self.state().tasks.values().filter(has_key).cloned().collect())
    }

    async fn list(&self, filter: &TaskFilter) -> Result<Vec<TaskSummary>, StoreError> {
        let state = self.state();
        let fits = state.tasks.values().rev().filter(|task| fits(task, filter)).take(filter.limit);
        Ok(fits.map(|task| TaskSummary { head: task.head.clone(), row: task.row.clone() }).collect())
    }

    async fn attempts(&self, number: TaskNumber) -> Result<Vec<StoredAttempt>, StoreError> {
        Ok(self.state().attempts_of(number).cloned().collect())
    }

    async fn attempts_on(
        &self,
        worker: WorkerId,
        from: TaskNumber,
        before: TaskNumber,
        limit: usize,
    ) -> Result<Vec<AttemptOnWorker>, StoreError> {
        let state = self.state();
        let on_worker =
            state.attempts.range((from, 0)..(before, 0)).rev().filter(|(_, stored)| stored.worker_id == worker);
        let seen = on_worker.filter_map(|((number, attempt), stored)| {
            let head = &state.tasks.get(number)?.head;
            Some(AttemptOnWorker {
                task_id: head.task_id,
                number: *number,
                attempt: *attempt,
                user_id: head.user_id,
                tool: stored.tool.clone(),
                model: stored.model.clone(),
                status: stored.status,
                assigned_at: stored.assigned_at,
                started_at: stored.started_at,
                ended_at: stored.ended_at,
                failure_class: stored.failure_class,
                record: stored.record.clone(),
            })
        });
        Ok(seen.take(limit).collect())
    }

    async fn log(&self, number: TaskNumber, after_seq: u64, limit: usize) -> Result<LogPage, StoreError> {
        let state = self.state();
        let task = state.tasks.get(&number).ok_or(StoreError::not_found("task"))?;
        let last_seq = task.row.log_seq;
        let mut entries = Vec::new();
        let mut oldest_seq = last_seq + 1;
        for batch in state.logs.get(&number).into_iter().flatten() {
            oldest_seq = oldest_seq.min(batch.first_seq);
            entries.extend(batch.entries().filter(|entry| entry.seq > after_seq));
        }
        entries.truncate(limit);
        Ok(LogPage { entries, last_seq, oldest_seq })
    }

    async fn events_after(
        &self,
        after: EventId,
        scope: &EventScope,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let visible = |event: &&EventRecord| match scope {
            EventScope::All => true,
            EventScope::Of { user, workers } => {
                event.user_id == Some(*user)
                    || (event.user_id.is_none() && event.worker_id.is_none_or(|worker| workers.contains(&worker)))
            }
        };
        let state = self.state();
        Ok(state.events.iter().filter(|event| event.id > after).filter(visible).take(limit).cloned().collect())
    }

    async fn oldest_event(&self) -> Result<Option<EventId>, StoreError> {
        Ok(self.state().events.first().map(|event| event.id))
    }

    async fn delete_task(&self, number: TaskNumber, version: i64, _audit: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.state();
        let task = state.tasks.get(&number).ok_or(StoreError::not_found("task"))?;
        if task.row.version != version {
            return Err(Conflict::StaleVersion.into());
        }
        if !task.row.status.is_terminal() {
            return Err(Conflict::NotEnded.into());
        }
        state.remove(number);
        Ok(())
    }

    async fn counts(&self, user: Option<UserId>) -> Result<TaskCounts, StoreError> {
        let mut counts = TaskCounts::new();
        for task in self.state().tasks.values().filter(|task| user.is_none_or(|user| task.head.user_id == user)) {
            *counts.entry(task.row.status).or_default() += 1;
        }
        Ok(counts)
    }

    async fn usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        Ok(usage::sums(&self.state().usage, filter))
    }

    async fn audit(&self, after: TaskNumber, limit: usize) -> Result<Vec<AuditedTask>, StoreError> {
        let state = self.state();
        let next = state.tasks.range(TaskNumber(after.0 + 1)..).take(limit);
        Ok(next
            .map(|(number, task)| AuditedTask {
                number: *number,
                row: task.row.clone(),
                attempts: state.attempts_of(*number).map(|attempt| attempt.status).collect(),
                log_batches: state
                    .logs
                    .get(number)
                    .into_iter()
                    .flatten()
                    .map(|log| (log.first_seq, log.last_seq()))
                    .collect(),
            })
            .collect())
    }
}

fn is_open(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Assigned | TaskStatus::Running)
}

fn fits(task: &StoredTask, filter: &TaskFilter) -> bool {
    let TaskFilter { user, statuses, tool, worker, text, created_after, created_before, before, limit: _ } = filter;
    let in_status = |status: TaskStatus| statuses.is_empty() || statuses.contains(&status);
    let says = |text: &String| task.head.spec.description.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
    user.is_none_or(|user| task.head.user_id == user)
        && in_status(task.row.status)
        && tool.as_ref().is_none_or(|tool| task.head.spec.tool.as_ref() == Some(tool))
        && worker.is_none_or(|worker| task.row.worker_id == Some(worker))
        && text.as_ref().is_none_or(says)
        && created_after.is_none_or(|at| task.head.created_at >= at)
        && created_before.is_none_or(|at| task.head.created_at < at)
        && before.is_none_or(|before| task.head.number < before)
}
