//! What happens because time passes: leases end, back-offs are over, limits are reached.
//!
//! Timers are never taken back; each looks, when it rings, whether it still means something.

use std::time::Duration;

use swarm_model::change::EventKind;
use swarm_model::{TaskEvent, TaskNumber, TaskState, Timestamp, WorkerId};

use super::{ACCEPT_WITHIN, Board, Effect};

/// Something to look at when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A back-off is over.
    Ready(TaskNumber),
    /// What a task waits for may be there.
    Wake(TaskNumber),
    /// An assignment has stayed unanswered.
    Accept(TaskNumber, u32),
    /// A task has stood in its queue for long enough.
    QueueWait(TaskNumber),
    /// An attempt has run for longer than its limit and the worker did not end it.
    WallClock(TaskNumber, u32),
    /// A worker may have fallen silent.
    Lease(WorkerId),
    /// The limit of an account may be over.
    Limit,
    /// The period of a budget is over.
    Budgets,
    /// Machines that left have had time to come back.
    Absence,
}

/// How late a timer may be looked at before this counts as an absence of ours. A busy coordinator looks at every turn.
const OVERSLEPT: Duration = Duration::from_secs(5);

/// How much longer than the worker the coordinator waits before it ends an attempt that is over its time.
const WALL_CLOCK_GRACE: Duration = Duration::from_secs(15);

impl Board {
    /// The next moment at which [`Board::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Does what is due at `now`.
    ///
    /// If that is long overdue, nobody has looked at the clock: this machine slept, its disk hung, or its clock was
    /// set forward. The workers could not be heard meanwhile, so each lease gets a full period, as after a start.
    pub fn tick(&mut self, now: Timestamp) {
        let has_slept = self.next_deadline().is_some_and(|due| now.since(due) > OVERSLEPT);
        if has_slept {
            self.fleet.extend_leases(now);
        }
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Accept(..) if has_slept => _ = self.timers.insert((now + ACCEPT_WITHIN, timer)),
                _ => self.ring(timer, now),
            }
        }
    }

    fn ring(&mut self, timer: Timer, now: Timestamp) {
        match timer {
            Timer::Ready(number) => self.enqueue(number, now),
            Timer::Wake(number) => self.wake(number, now),
            Timer::Accept(number, attempt) => {
                let unanswered = self.tasks.get(&number).is_some_and(
                    |entry| matches!(entry.state, TaskState::Assigned { lease } if lease.attempt == attempt),
                );
                if unanswered {
                    self.lose(number, "the machine did not answer the assignment", now);
                }
            }
            Timer::QueueWait(number) => self.end_queue_wait(number, now),
            Timer::WallClock(number, attempt) => self.end_wall_clock(number, attempt, now),
            Timer::Lease(worker) => self.end_lease(worker, now),
            Timer::Limit => self.fleet.limits_mut().open_due(now),
            Timer::Budgets => self.roll_budgets(now),
            Timer::Absence => self.end_absence(now),
        }
    }

    fn wake(&mut self, number: TaskNumber, now: Timestamp) {
        let is_due = self
            .tasks
            .get(&number)
            .is_some_and(|entry| matches!(entry.state, TaskState::Waiting { until: Some(until), .. } if until <= now));
        if is_due {
            self.wake_now(number, now);
        }
    }

    /// Puts a task that waits into its queue again.
    pub(super) fn wake_now(&mut self, number: TaskNumber, now: Timestamp) {
        if let Some(course) = self.tasks.get_mut(&number).and_then(|entry| entry.row.course.as_mut()) {
            course.short = None;
        }
        self.transition(number, TaskEvent::Wake { ready_at: now }, now);
        self.task_event(EventKind::TaskQueued, number, None, now);
        self.arm_queue_wait(number);
        self.enqueue(number, now);
    }

    /// Sets the timer of a task that may stand in its queue for so long.
    pub(super) fn arm_queue_wait(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get(&number) else { return };
        if let Some(wait) = entry.head.spec.limits.queue_wait_ms
            && entry.row.started_at.is_none()
        {
            self.timers.insert((entry.head.created_at + Duration::from_millis(wait), Timer::QueueWait(number)));
        }
    }

    fn end_queue_wait(&mut self, number: TaskNumber, now: Timestamp) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let limit = entry.head.spec.limits.queue_wait_ms.map(Duration::from_millis);
        let is_over = limit.is_some_and(|limit| entry.head.created_at + limit <= now);
        // The limit is on the wait for the first start: a task that backs off has had its turn.
        if !matches!(entry.state, TaskState::Queued { .. }) || entry.row.started_at.is_some() || !is_over {
            return;
        }
        entry.row.error = Some("nobody took it within its queue wait".to_owned());
        self.dequeue(number);
        self.transition(number, TaskEvent::QueueTimeout, now);
        self.task_event(EventKind::TaskFailed, number, Some("timed_out".to_owned()), now);
    }

    /// The worker ends an attempt at its limit; this is for one that does not.
    pub(super) fn arm_wall_clock(&mut self, number: TaskNumber, now: Timestamp) {
        let Some(entry) = self.tasks.get(&number) else { return };
        if let Some(limit) = entry.head.spec.limits.wall_clock_ms {
            let at = now + Duration::from_millis(limit) + WALL_CLOCK_GRACE;
            self.timers.insert((at, Timer::WallClock(number, entry.row.attempt)));
        }
    }

    fn end_wall_clock(&mut self, number: TaskNumber, attempt: u32, now: Timestamp) {
        let Some(entry) = self.tasks.get(&number) else { return };
        let TaskState::Running { lease, cancel_requested_at } = entry.state else { return };
        if lease.attempt != attempt {
            return;
        }
        let quoted = self.attempt_ref(number, lease);
        self.effects.push(Effect::Cancel { worker_id: lease.worker_id, attempt: quoted });
        if cancel_requested_at.is_some() {
            self.confirm_cancel(number, lease, swarm_model::change::AttemptStatus::Lost, None, now);
            return;
        }
        let class = swarm_model::FailureClass::TimedOut;
        let error = "it ran over its time and the machine did not end it".to_owned();
        let status = swarm_model::change::AttemptStatus::Failed;
        self.close_attempt(number, lease, status, Some(class), Some(error.clone()), None, now);
        self.give_up(number, lease, class, error, now);
    }

    /// Sets the timer of a worker's leases; one is enough, it moves itself on.
    pub(super) fn arm_lease(&mut self, worker: WorkerId) {
        if let Some(member) = self.fleet.member(worker) {
            self.timers.insert((member.deadline, Timer::Lease(worker)));
        }
    }

    fn end_lease(&mut self, worker: WorkerId, now: Timestamp) {
        let Some(member) = self.fleet.member(worker) else { return };
        if member.deadline > now {
            self.arm_lease(worker);
            return;
        }
        let was_connected = member.connected;
        let tasks = member.tasks.clone();
        for number in tasks {
            self.lose(number, "lost contact with the machine", now);
        }
        self.fleet.remove(worker);
        self.await_return(now);
        if was_connected {
            self.event(EventKind::WorkerOffline, None, None, Some(worker), None, Some("silent".to_owned()), now);
            self.effects.push(Effect::Silent { worker_id: worker });
        }
    }
}
