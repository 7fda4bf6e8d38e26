//! What workers report about their attempts. Whoever quotes an attempt that does not hold the lease changes nothing.

use swarm_model::change::{AttemptStatus, EventKind, LateResult, UpdateAttempt};
use swarm_model::failure::{Place, Remedy, When};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::task::{Lease, MAX_LOSSES_IN_A_ROW, OnLoss, Outcome, RunRecord, WaitReason};
use swarm_model::worker::{AttemptRef, RefusalReason};
use swarm_model::{FailureClass, TaskEvent, TaskNumber, TaskState, Timestamp, WorkerId};

use super::limits::limit_end;
use super::{Board, REFUSED_PAUSE, Staleness, Verdict};
use crate::fleet::Fleet;
use crate::queue::ClassKey;

impl Board {
    /// The task whose lease `worker` holds with this attempt.
    fn held(&self, worker: WorkerId, quoted: AttemptRef) -> Result<(TaskNumber, Lease), Staleness> {
        let number = self.by_id.get(&quoted.task_id).copied().ok_or(Staleness)?;
        let lease = self.tasks.get(&number).and_then(|entry| entry.state.lease()).ok_or(Staleness)?;
        let holds = lease.worker_id == worker && lease.attempt == quoted.attempt;
        if holds { Ok((number, lease)) } else { Err(Staleness) }
    }

    /// Whether `worker` holds the lease of this attempt.
    pub fn holds(&self, worker: WorkerId, quoted: AttemptRef) -> bool {
        self.held(worker, quoted).is_ok()
    }

    /// Whether somebody asked for the end of this attempt.
    pub fn is_cancel_requested(&self, worker: WorkerId, quoted: AttemptRef) -> bool {
        self.held(worker, quoted).is_ok_and(|(number, _)| {
            self.tasks
                .get(&number)
                .is_some_and(|entry| matches!(entry.state, TaskState::Running { cancel_requested_at: Some(_), .. }))
        })
    }

    /// The worker's highest stored log line of this attempt.
    pub fn log_received(&self, worker: WorkerId, quoted: AttemptRef) -> Result<u64, Staleness> {
        let (number, _) = self.held(worker, quoted)?;
        Ok(self.tasks.get(&number).map_or(0, |entry| entry.log_received))
    }

    /// Work begins. Said again, it changes nothing.
    pub fn accept(&mut self, worker: WorkerId, quoted: AttemptRef, now: Timestamp) -> Result<(), Staleness> {
        let (number, lease) = self.held(worker, quoted)?;
        let Some(entry) = self.tasks.get_mut(&number) else { return Err(Staleness) };
        if !matches!(entry.state, TaskState::Assigned { .. }) {
            return Ok(());
        }
        entry.attempt_started_at = Some(now);
        entry.interrupted_on = None;
        entry.row.started_at.get_or_insert(now);
        self.transition(number, TaskEvent::Accept { attempt: lease.attempt }, now);
        self.dirty.attempt(UpdateAttempt {
            number,
            attempt: lease.attempt,
            status: AttemptStatus::Running,
            started_at: Some(now),
            ended_at: None,
            failure_class: None,
            error: None,
            record: None,
        });
        self.task_event(EventKind::TaskRunning, number, None, now);
        self.arm_wall_clock(number, now);
        Ok(())
    }

    /// The machine declines.
    pub fn refuse(
        &mut self,
        worker: WorkerId,
        quoted: AttemptRef,
        reason: &RefusalReason,
        now: Timestamp,
    ) -> Result<(), Staleness> {
        let (number, lease) = self.held(worker, quoted)?;
        let class = match reason {
            RefusalReason::ToolMissing { .. } => FailureClass::ToolMissing,
            RefusalReason::ToolNeedsLogin { .. } => FailureClass::NeedsLogin,
            _ => FailureClass::Refused,
        };
        let sentence = reason.sentence();
        self.close_attempt(number, lease, AttemptStatus::Refused, Some(class), Some(sentence.clone()), None, now);
        self.task_event(EventKind::TaskRefused, number, Some(reason.as_str().to_owned()), now);
        // Input that makes no sense for a tool here makes none elsewhere.
        if matches!(reason, RefusalReason::InvalidInput { .. }) {
            self.give_up_entry(number, lease, FailureClass::Refused, sentence, now);
            return Ok(());
        }
        let pause = if reason.is_lasting() { std::time::Duration::ZERO } else { REFUSED_PAUSE };
        if reason.is_lasting() {
            self.avoid(number, worker);
        }
        if let Some(entry) = self.tasks.get_mut(&number) {
            entry.row.error = Some(sentence);
            // A worker that stops gives back what it had begun.
            if matches!(reason, RefusalReason::Draining) && entry.attempt_started_at.is_some() {
                entry.interrupted_on = Some(worker);
            }
        }
        self.requeue(number, lease, now + pause, now);
        Ok(())
    }

    /// How far an attempt is.
    pub fn progress(&mut self, worker: WorkerId, quoted: AttemptRef, percent: u8) -> Result<(), Staleness> {
        let (number, _) = self.held(worker, quoted)?;
        let Some(entry) = self.tasks.get_mut(&number) else { return Err(Staleness) };
        let percent = percent.min(100);
        if entry.row.progress != Some(percent) {
            entry.row.progress = Some(percent);
            self.dirty.updated(number);
        }
        Ok(())
    }

    /// Lines of an attempt. Known ones are passed over; those behind a gap are left for the worker to send again.
    /// Gives the highest number that will be stored.
    pub fn log(&mut self, worker: WorkerId, quoted: AttemptRef, lines: Vec<LogLine>) -> Result<u64, Staleness> {
        let (number, lease) = self.held(worker, quoted)?;
        let Some(entry) = self.tasks.get_mut(&number) else { return Err(Staleness) };
        let mut received = entry.log_received;
        let fresh: Vec<LogLine> = lines
            .into_iter()
            .filter(|line| {
                let is_next = line.n == received + 1;
                received += u64::from(is_next);
                is_next
            })
            .collect();
        // A model that calls a tool is one that answers. A text may be the provider's refusal.
        let answers = fresh.iter().any(|line| line.stream == LogStream::ToolCall);
        if !fresh.is_empty() {
            let first_seq = entry.row.log_seq + 1;
            entry.row.log_seq += fresh.len() as u64;
            entry.log_received = received;
            self.dirty.updated(number);
            self.dirty.log(number, lease.attempt, first_seq, fresh);
        }
        if answers {
            self.end_limit((number, lease.attempt));
        }
        Ok(received)
    }

    /// How an attempt ended.
    pub fn result(
        &mut self,
        worker: WorkerId,
        quoted: AttemptRef,
        outcome: Outcome,
        record: RunRecord,
        now: Timestamp,
    ) -> Verdict {
        let record = record.beside(&outcome);
        let Ok((number, lease)) = self.held(worker, quoted) else {
            let late =
                LateResult { task_id: quoted.task_id, attempt: quoted.attempt, worker_id: worker, outcome, record };
            self.dirty.late(late);
            return Verdict::Late;
        };
        // A result says that work began, even where the acceptance was lost on the way.
        if self.accept(worker, quoted, now).is_err() {
            return Verdict::Late;
        }
        let account = match &outcome {
            Outcome::Failed { class, .. } if class.is_of_account() => self.account_used(worker, number, &record),
            Outcome::Failed { .. } | Outcome::Completed { .. } | Outcome::Cancelled { .. } => None,
        };
        let record = Some(record);
        let attempt = lease.attempt;
        let cancel_requested = self.is_cancel_requested(worker, quoted);
        if let Some(entry) = self.tasks.get_mut(&number) {
            // The worker lives and has spoken: losses are no longer in a row.
            entry.row.losses = 0;
        }
        match outcome {
            Outcome::Completed { result } => {
                self.end_limit((number, attempt));
                self.close_attempt(number, lease, AttemptStatus::Completed, None, None, record, now);
                self.dirty.result(number, serde_json::to_string(&result).ok());
                self.transition(number, TaskEvent::Complete { attempt }, now);
                self.task_event(EventKind::TaskCompleted, number, None, now);
            }
            Outcome::Cancelled { partial } if cancel_requested => {
                self.keep_partial(number, partial);
                self.confirm_cancel(number, lease, AttemptStatus::Cancelled, record, now);
            }
            // A failure after a cancel was asked for is the cancel.
            Outcome::Failed { partial, .. } if cancel_requested => {
                self.keep_partial(number, partial);
                self.confirm_cancel(number, lease, AttemptStatus::Cancelled, record, now);
            }
            Outcome::Cancelled { partial } => {
                // The machine's owner ended it there; nobody here asked. That is a failure of this attempt.
                let error = "ended on the machine".to_owned();
                self.keep_partial(number, partial);
                self.close_attempt(
                    number,
                    lease,
                    AttemptStatus::Cancelled,
                    Some(FailureClass::Cancelled),
                    Some(error.clone()),
                    record,
                    now,
                );
                self.give_up(number, lease, FailureClass::Cancelled, error, now);
            }
            Outcome::Failed { class, error, resets_at, partial } => {
                self.keep_partial(number, partial);
                let stopped =
                    if class == FailureClass::Budget { self.stopped(number, lease, record.as_ref()) } else { None };
                self.close_attempt(number, lease, AttemptStatus::Failed, Some(class), Some(error.clone()), record, now);
                if let Some(stopped) = stopped
                    && self.stop_at_budget(number, lease, stopped, &error, now)
                {
                    self.note_failure(number, class, error);
                    return Verdict::Applied;
                }
                let until = account.map(|account| self.hit_limit(account, class, &error, resets_at, now));
                // Another account may do: somebody else's machine, or one that is signed in as somebody else.
                if until.is_some() && self.has_open_way(number) {
                    self.note_failure(number, class, error);
                    self.requeue(number, lease, now, now);
                } else {
                    self.after_failure(number, lease, class, error, until.or(resets_at), now);
                }
            }
        }
        Verdict::Applied
    }

    fn keep_partial(&mut self, number: TaskNumber, partial: Option<swarm_model::task::TaskResult>) {
        if let Some(partial) = partial {
            self.dirty.result(number, serde_json::to_string(&partial).ok());
        }
    }

    fn note_failure(&mut self, number: TaskNumber, class: FailureClass, error: String) {
        if let Some(entry) = self.tasks.get_mut(&number) {
            (entry.row.failure_class, entry.row.error) = (Some(class), Some(error));
        }
    }

    fn after_failure(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        class: FailureClass,
        error: String,
        resets_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.note_failure(number, class, error.clone());
        // Behind a limit of its account the session goes on.
        if !class.is_of_account() {
            self.leave_session(number);
        }
        if self.moves_on_at_once(number, class) && self.move_on(number, lease, class, &error, now) {
            return;
        }
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let policy = entry.head.spec.retry;
        let Remedy::Retry { place, when, counts } = class.remedy() else {
            return self.give_up_entry(number, lease, class, error, now);
        };
        if counts {
            entry.row.failures += 1;
            if entry.row.failures >= policy.max_attempts {
                return self.give_up_entry(number, lease, class, error, now);
            }
        }
        let failures = entry.row.failures;
        if place == Place::Elsewhere {
            self.avoid(number, lease.worker_id);
            // Nobody else could do it either: waiting would only hide what must be mended.
            if !self.has_other_place(number) {
                return self.give_up_entry(number, lease, class, error, now);
            }
        }
        match when {
            When::AfterBackoff => self.requeue(number, lease, now + policy.backoff(failures), now),
            When::AtReset(unnamed) => {
                let until = limit_end(resets_at, unnamed, now);
                let event = TaskEvent::Park { attempt: lease.attempt, reason: WaitReason::Quota, until: Some(until) };
                self.transition(number, event, now);
                self.task_event(EventKind::TaskWaiting, number, Some(class.as_str().to_owned()), now);
                self.timers.insert((until, super::time::Timer::Wake(number)));
            }
        }
    }

    /// Whether any connected machine but the avoided ones has what the task needs.
    fn has_other_place(&self, number: TaskNumber) -> bool {
        let Some(entry) = self.tasks.get(&number) else { return false };
        self.fleet.members().any(|member| member.connected && Fleet::serves(member, &entry.class))
    }

    /// A run that went on with a session and failed otherwise: the next one begins anew, wherever it fits.
    fn leave_session(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(course) = entry.row.course.as_mut().filter(|course| course.resume.is_some()) else { return };
        course.resume = None;
        let avoid = std::mem::take(&mut entry.class.avoid);
        entry.class = ClassKey::of(entry.head.user_id, &entry.head.spec, entry.row.course.as_deref(), &avoid);
    }

    pub(super) fn avoid(&mut self, number: TaskNumber, worker: WorkerId) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let mut avoid = entry.class.avoid.clone();
        if !avoid.contains(&worker) {
            avoid.push(worker);
            avoid.sort_unstable();
        }
        entry.class = ClassKey::of(entry.head.user_id, &entry.head.spec, entry.row.course.as_deref(), &avoid);
    }

    pub(super) fn requeue(&mut self, number: TaskNumber, lease: Lease, ready_at: Timestamp, now: Timestamp) {
        self.transition(number, TaskEvent::Requeue { attempt: lease.attempt, ready_at }, now);
        self.task_event(EventKind::TaskRequeued, number, None, now);
        self.enqueue(number, now);
    }

    pub(super) fn give_up(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        class: FailureClass,
        error: String,
        now: Timestamp,
    ) {
        if let Some(entry) = self.tasks.get_mut(&number) {
            entry.row.error = Some(error);
        }
        self.transition(number, TaskEvent::GiveUp { attempt: lease.attempt, class }, now);
        self.task_event(EventKind::TaskFailed, number, Some(class.as_str().to_owned()), now);
    }

    pub(super) fn confirm_cancel(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        status: AttemptStatus,
        record: Option<RunRecord>,
        now: Timestamp,
    ) {
        self.close_attempt(number, lease, status, None, None, record, now);
        self.transition(number, TaskEvent::ConfirmCancel { attempt: lease.attempt }, now);
        self.task_event(EventKind::TaskCancelled, number, None, now);
    }

    /// The worker vanished, or no longer knows of the attempt.
    pub(super) fn lose(&mut self, number: TaskNumber, why: &str, now: Timestamp) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let Some(lease) = entry.state.lease() else { return };
        match entry.state {
            TaskState::Running { cancel_requested_at: Some(_), .. } => {
                self.confirm_cancel(number, lease, AttemptStatus::Lost, None, now);
                return;
            }
            // Work never began: nothing to count, nothing to wait for.
            TaskState::Assigned { .. } => {
                self.close_attempt(number, lease, AttemptStatus::Lost, None, Some(why.to_owned()), None, now);
                self.requeue(number, lease, now, now);
                return;
            }
            TaskState::Running { .. }
            | TaskState::Queued { .. }
            | TaskState::Waiting { .. }
            | TaskState::Completed
            | TaskState::Failed(_)
            | TaskState::Cancelled => {}
        }
        entry.row.losses += 1;
        entry.interrupted_on = Some(lease.worker_id);
        entry.row.failure_class = Some(FailureClass::Lost);
        entry.row.error = Some(why.to_owned());
        let (losses, policy, on_loss) = (entry.row.losses, entry.head.spec.retry, entry.head.spec.on_loss);
        self.close_attempt(
            number,
            lease,
            AttemptStatus::Lost,
            Some(FailureClass::Lost),
            Some(why.to_owned()),
            None,
            now,
        );
        if on_loss == OnLoss::Fail {
            self.give_up(number, lease, FailureClass::Lost, format!("{why}; it must not be repeated"), now);
        } else if losses >= MAX_LOSSES_IN_A_ROW {
            self.give_up(
                number,
                lease,
                FailureClass::Lost,
                format!("{why}, {losses} times in a row: the task seems to end its workers"),
                now,
            );
        } else {
            self.requeue(number, lease, now + policy.backoff(losses), now);
        }
    }
}
