//! What the next commit must write: each row once, however often it changed since the last.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use swarm_model::change::{
    AddUsage, AppendLog, AttemptStatus, Changes, EventRecord, InsertTask, LateResult, LimitChange, OpenAttempt,
    UpdateAttempt, UpdateTask,
};
use swarm_model::course::Spent;
use swarm_model::log::LogLine;
use swarm_model::task::{Lease, RunRecord};
use swarm_model::usage::{EndedAttempt, UsageKey, UsageSums};
use swarm_model::{FailureClass, TaskNumber, Timestamp, UserId};

use super::Board;

#[derive(Debug, Default)]
struct DirtyTask {
    is_new: bool,
    has_new_spec: bool,
    result: Option<String>,
}

/// Notes of what changed since the last [`Board::take`].
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// In the order of numbers, so that a commit writes rows in the order of the table.
    tasks: BTreeMap<TaskNumber, DirtyTask>,
    opened: Vec<OpenAttempt>,
    attempts: BTreeMap<(TaskNumber, u32), UpdateAttempt>,
    /// Summed up already: a commit has many attempts and few sums.
    usage: BTreeMap<UsageKey, UsageSums>,
    logs: Vec<AppendLog>,
    log_of: HashMap<(TaskNumber, u32), usize>,
    late: Vec<LateResult>,
    limits: BTreeMap<String, LimitChange>,
    events: Vec<EventRecord>,
}

impl Dirty {
    pub(super) fn inserted(&mut self, number: TaskNumber) {
        self.tasks.entry(number).or_default().is_new = true;
    }

    pub(super) fn updated(&mut self, number: TaskNumber) {
        self.tasks.entry(number).or_default();
    }

    pub(super) fn spec_changed(&mut self, number: TaskNumber) {
        self.tasks.entry(number).or_default().has_new_spec = true;
    }

    pub(super) fn result(&mut self, number: TaskNumber, result: Option<String>) {
        self.tasks.entry(number).or_default().result = result;
    }

    pub(super) fn contains(&self, number: TaskNumber) -> bool {
        self.tasks.contains_key(&number)
    }

    pub(super) fn opened(&mut self, attempt: OpenAttempt) {
        self.opened.push(attempt);
    }

    pub(super) fn attempt(&mut self, update: UpdateAttempt) {
        self.attempts.insert((update.number, update.attempt), update);
    }

    pub(super) fn used(&mut self, key: UsageKey, sums: UsageSums) {
        *self.usage.entry(key).or_default() += sums;
    }

    /// What was used and is in no store yet.
    pub(super) fn unwritten_usage(&self) -> impl Iterator<Item = (&UsageKey, &UsageSums)> {
        self.usage.iter()
    }

    /// Adds lines to the batch of this attempt, which they follow without a gap.
    pub(super) fn log(&mut self, number: TaskNumber, attempt: u32, first_seq: u64, lines: Vec<LogLine>) {
        if let Some(index) = self.log_of.get(&(number, attempt)) {
            self.logs[*index].lines.extend(lines);
        } else {
            self.log_of.insert((number, attempt), self.logs.len());
            self.logs.push(AppendLog { number, attempt, first_seq, lines });
        }
    }

    pub(super) fn late(&mut self, late: LateResult) {
        self.late.push(late);
    }

    pub(super) fn limit(&mut self, change: LimitChange) {
        let account_id = match &change {
            LimitChange::Hit(limit) => limit.account.id.clone(),
            LimitChange::Over { account_id } => account_id.clone(),
        };
        self.limits.insert(account_id, change);
    }

    pub(super) fn event(&mut self, event: EventRecord) {
        self.events.push(event);
    }
}

impl Board {
    /// Notes the end of an attempt and frees its slot.
    #[expect(clippy::too_many_arguments, reason = "an attempt's end is exactly these facts")]
    pub(super) fn close_attempt(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        status: AttemptStatus,
        failure_class: Option<FailureClass>,
        error: Option<String>,
        record: Option<RunRecord>,
        now: Timestamp,
    ) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let started_at = entry.attempt_started_at;
        let held = now.since(entry.assigned_at);
        let user = entry.head.user_id;
        let tool = entry.tool.take();
        let model = entry.model.take();
        if let (Some(record), true) = (&record, status != AttemptStatus::Completed) {
            let told = Spent::of(&record.usage);
            if told != Spent::default() {
                let course = entry.row.course_mut();
                course.used = course.used.plus(told);
            }
        }
        let used = tool.as_ref().and_then(|tool| {
            let ended = EndedAttempt {
                user_id: user,
                worker_id: lease.worker_id,
                tool,
                model: model.as_deref(),
                status,
                started_at,
                ended_at: now,
                record: record.as_ref(),
            };
            ended.usage()
        });
        if let Some((key, sums)) = used {
            self.draw_on_budgets(&key, &sums, now);
            self.dirty.used(key, sums);
        }
        self.fleet.limits_mut().left((number, lease.attempt));
        self.dirty.attempt(UpdateAttempt {
            number,
            attempt: lease.attempt,
            status,
            started_at,
            ended_at: Some(now),
            failure_class,
            error,
            // Facts that cannot be written would be no facts: numbers and texts always can.
            record: record.and_then(|record| serde_json::to_string(&record).ok()),
        });
        let contended = self.fleet.member(lease.worker_id).is_some_and(|member| member.profile.is_contended());
        if contended {
            let rest = held.saturating_sub(crate::fairness::CLAIM_COST);
            self.usage.entry(user).or_default().add(rest, now, crate::fairness::USER_HALF_LIFE);
        }
        if let Some(tool) = tool {
            self.fleet.give_back(lease.worker_id, number, user, &tool, held, now);
        }
    }

    pub(super) fn take_changes(&mut self) -> Changes {
        let dirty = std::mem::take(&mut self.dirty);
        let mut changes = Changes {
            inserts: Vec::new(),
            updates: Vec::with_capacity(dirty.tasks.len()),
            opened: dirty.opened,
            attempts: dirty.attempts.into_values().collect(),
            usage: dirty.usage.into_iter().map(|(key, sums)| AddUsage { key, sums }).collect(),
            logs: dirty.logs,
            late: dirty.late,
            limits: dirty.limits.into_values().collect(),
            events: dirty.events,
        };
        for (number, note) in dirty.tasks {
            let Some(entry) = self.tasks.get_mut(&number) else { continue };
            entry.row.version += 1;
            let ended = entry.row.status.is_terminal();
            if note.is_new {
                changes.inserts.push(InsertTask { head: (*entry.head).clone(), row: entry.row.clone() });
            } else {
                let spec = note.has_new_spec.then(|| entry.head.spec.clone());
                changes.updates.push(UpdateTask { number, row: entry.row.clone(), result: note.result, spec });
            }
            if ended && let Some(entry) = self.tasks.remove(&number) {
                self.by_id.remove(&entry.head.task_id);
                self.forget_live(entry.head.user_id);
            }
        }
        changes
    }

    fn forget_live(&mut self, user: UserId) {
        if let Entry::Occupied(mut live) = self.live_of.entry(user) {
            *live.get_mut() -= 1;
            if *live.get() == 0 {
                live.remove();
            }
        }
    }
}
