//! What the in-memory store holds, and how a commit changes it.

use std::collections::{BTreeMap, HashSet};

use swarm_model::TaskNumber;
use swarm_model::change::{
    AccountLimit, AppendLog, AttemptStatus, Changes, EventRecord, LateResult, LimitChange, UpdateAttempt,
};
use swarm_model::log::LogEntry;
use swarm_model::usage::{EndedAttempt, UsageKey, UsageSums};

use crate::error::{Conflict, StoreError};
use crate::task::{LateReport, StoredAttempt, StoredTask};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tasks: BTreeMap<TaskNumber, StoredTask>,
    pub(super) attempts: BTreeMap<(TaskNumber, u32), StoredAttempt>,
    pub(super) logs: BTreeMap<TaskNumber, Vec<StoredLog>>,
    pub(super) events: Vec<EventRecord>,
    pub(super) usage: BTreeMap<UsageKey, UsageSums>,
    pub(super) limits: BTreeMap<String, AccountLimit>,
    pub(super) last_number: i64,
}

/// A batch of lines.
#[derive(Debug)]
pub(super) struct StoredLog {
    pub(super) first_seq: u64,
    batch: AppendLog,
}

impl StoredLog {
    pub(super) fn last_seq(&self) -> u64 {
        self.first_seq + self.batch.lines.len() as u64 - 1
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = LogEntry> {
        let attempt = self.batch.attempt;
        (self.first_seq..).zip(&self.batch.lines).map(move |(seq, line)| LogEntry {
            seq,
            attempt,
            stream: line.stream,
            text: line.text.clone(),
            data: line.data.clone(),
            at: line.at,
        })
    }
}

impl State {
    /// Whether the changes fit what is stored.
    pub(super) fn check(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut numbers = HashSet::new();
        let mut keys = HashSet::new();
        for insert in &changes.inserts {
            let head = &insert.head;
            if self.tasks.contains_key(&head.number) || !numbers.insert(head.number) {
                return Err(Conflict::Exists.into());
            }
            let Some(key) = &head.idempotency_key else { continue };
            let has_key = |task: &StoredTask| {
                task.head.user_id == head.user_id && task.head.idempotency_key.as_ref() == Some(key)
            };
            if self.tasks.values().any(has_key) || !keys.insert((head.user_id, key)) {
                return Err(Conflict::IdempotencyKey.into());
            }
        }
        for update in &changes.updates {
            if self.tasks.get(&update.number).is_none_or(|task| task.row.version != update.row.version - 1) {
                return Err(Conflict::StaleVersion.into());
            }
        }
        for opened in &changes.opened {
            if self.attempts.contains_key(&(opened.number, opened.attempt)) {
                return Err(Conflict::Exists.into());
            }
        }
        for update in &changes.attempts {
            let opened_now = || {
                changes.opened.iter().any(|opened| (opened.number, opened.attempt) == (update.number, update.attempt))
            };
            if !self.attempts.contains_key(&(update.number, update.attempt)) && !opened_now() {
                return Err(Conflict::StaleVersion.into());
            }
        }
        let last_event = self.events.last().map(|event| event.id);
        if changes.events.iter().any(|event| Some(event.id) <= last_event) {
            return Err(Conflict::Exists.into());
        }
        Ok(())
    }

    /// Makes changes that were checked.
    pub(super) fn apply(&mut self, changes: &Changes) {
        for insert in &changes.inserts {
            self.last_number = self.last_number.max(insert.head.number.0);
            let task = StoredTask { head: insert.head.clone(), row: insert.row.clone(), result: None };
            self.tasks.insert(insert.head.number, task);
        }
        for update in &changes.updates {
            let Some(task) = self.tasks.get_mut(&update.number) else { continue };
            task.row = update.row.clone();
            if let Some(result) = &update.result {
                task.result = serde_json::from_str(result).ok();
            }
            if let Some(spec) = &update.spec {
                task.head.spec = spec.clone();
            }
        }
        for opened in &changes.opened {
            let attempt = StoredAttempt {
                attempt: opened.attempt,
                worker_id: opened.worker_id,
                tool: opened.tool.clone(),
                model: opened.model.clone(),
                status: AttemptStatus::Assigned,
                assigned_at: opened.assigned_at,
                started_at: None,
                ended_at: None,
                failure_class: None,
                error: None,
                record: None,
                late: None,
            };
            self.attempts.insert((opened.number, opened.attempt), attempt);
        }
        for update in &changes.attempts {
            if let Some(attempt) = self.attempts.get_mut(&(update.number, update.attempt)) {
                update_attempt(attempt, update);
            }
        }
        for used in &changes.usage {
            *self.usage.entry(used.key.clone()).or_default() += used.sums;
        }
        for log in changes.logs.iter().filter(|log| !log.lines.is_empty()) {
            let stored = StoredLog { first_seq: log.first_seq, batch: log.clone() };
            self.logs.entry(log.number).or_default().push(stored);
        }
        for late in &changes.late {
            self.keep_late(late);
        }
        for change in &changes.limits {
            match change {
                LimitChange::Hit(limit) => drop(self.limits.insert(limit.account.id.clone(), limit.clone())),
                LimitChange::Over { account_id } => drop(self.limits.remove(account_id)),
            }
        }
        self.events.extend(changes.events.iter().cloned());
    }

    fn keep_late(&mut self, late: &LateResult) {
        let Some(head) = self.tasks.values().find(|task| task.head.task_id == late.task_id).map(|task| &task.head)
        else {
            return;
        };
        let Some(attempt) = self.attempts.get_mut(&(head.number, late.attempt)) else { return };
        let ended_without_result = match attempt.status {
            AttemptStatus::Lost | AttemptStatus::Cancelled | AttemptStatus::Refused => true,
            AttemptStatus::Failed => attempt.record.is_none(),
            AttemptStatus::Assigned | AttemptStatus::Running | AttemptStatus::Completed => false,
        };
        if attempt.worker_id != late.worker_id || !ended_without_result || attempt.late.is_some() {
            return;
        }
        attempt.late = Some(LateReport { outcome: late.outcome.clone(), record: late.record.clone() });
        let (None, Some(ended_at)) = (&attempt.record, attempt.ended_at) else { return };
        let before = EndedAttempt {
            user_id: head.user_id,
            worker_id: attempt.worker_id,
            tool: &attempt.tool,
            model: attempt.model.as_deref(),
            status: attempt.status,
            started_at: attempt.started_at,
            ended_at,
            record: None,
        };
        before.learn(&late.record, &mut self.usage);
        attempt.record = Some(late.record.clone());
    }

    pub(super) fn attempts_of(&self, number: TaskNumber) -> impl Iterator<Item = &StoredAttempt> {
        self.attempts.range((number, 0)..=(number, u32::MAX)).map(|(_, attempt)| attempt)
    }

    pub(super) fn log_received(&self, number: TaskNumber, attempt: u32) -> u64 {
        let batches = self.logs.get(&number).into_iter().flatten().filter(|log| log.batch.attempt == attempt);
        batches.filter_map(|log| log.batch.lines.last()).map(|line| line.n).max().unwrap_or(0)
    }

    pub(super) fn remove(&mut self, number: TaskNumber) {
        self.tasks.remove(&number);
        self.attempts.retain(|(of, _), _| *of != number);
        self.logs.remove(&number);
    }
}

/// What was known once stays known.
fn update_attempt(attempt: &mut StoredAttempt, update: &UpdateAttempt) {
    attempt.status = update.status;
    attempt.started_at = update.started_at.or(attempt.started_at);
    attempt.ended_at = update.ended_at.or(attempt.ended_at);
    attempt.failure_class = update.failure_class.or(attempt.failure_class);
    attempt.error = update.error.clone().or(attempt.error.take());
    if let Some(record) = &update.record {
        attempt.record = serde_json::from_str(record).ok();
    }
}
