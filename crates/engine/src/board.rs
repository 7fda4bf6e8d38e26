//! The coordinator's state machine: every task that has not ended, every worker that is there or holds a lease.
//!
//! A command changes the board at once and notes what must be written; [`Board::take`] gives that as one set of
//! [`Changes`] together with the [`Effect`]s to carry out after the commit. If the commit fails, the board is
//! thrown away and made anew from the store.
//!
//! Deadlines of leases live here and not in rows: a coordinator that starts gives every lease a full period, so
//! that its own downtime loses nobody's work, and a heartbeat costs no write.

mod budgets;
mod cascade;
mod dirty;
mod limits;
mod placement;
mod reports;
mod time;
mod workers;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use swarm_model::change::{Changes, EventKind, EventRecord, LiveTask, TaskHead, TaskRow};
use swarm_model::task::{Lease, Limits, Priority, TaskSpec, WaitReason};
use swarm_model::worker::AttemptRef;
use swarm_model::{
    EventId, FailureClass, RunId, TaskEvent, TaskId, TaskNumber, TaskState, TaskStatus, Timestamp, ToolName, UserId,
    WorkerId, WorkflowId,
};

use crate::fairness::{CLAIM_COST, Faded, USER_HALF_LIFE};
use crate::fleet::{Fleet, WorkerView};
use crate::queue::{ClassId, ClassKey, ReadyQueue};

use dirty::Dirty;
use time::Timer;

pub use placement::{CandidateReport, EntryReport, PlacementReport};
pub use workers::Joined;

/// Where counting goes on: the highest numbers in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// The last task's number.
    pub last_number: i64,
    /// The last event.
    pub last_event: i64,
}

/// A task to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
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
    /// The task that a person tries again.
    pub retry_of: Option<TaskId>,
    /// The same key from the same person gives the same task; the caller has checked it.
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// What a person changes about a queued task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskEdit {
    /// The prompt.
    pub description: Option<String>,
    /// From 1 to 10.
    pub priority: Option<Priority>,
    /// How far it may go.
    pub limits: Option<Limits>,
}

/// A command that the board cannot follow. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It has ended, or was never there.
    #[error("the task is not there, or it has ended")]
    NotLive,
    /// It is not in a state that allows this.
    #[error("a task that is {0} cannot do this")]
    NotIn(TaskStatus),
    /// It was changed in the meantime.
    #[error("the task was changed in the meantime: it has version {0} now")]
    VersionConflict(i64),
}

/// An attempt that the worker no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attempt does not hold the lease")]
pub struct Staleness;

/// What became of a reported result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Applied,
    /// It came too late, or again: evidence at most.
    Late,
}

/// What to do after the commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Hand this attempt to the worker.
    Assign {
        /// To whom.
        worker_id: WorkerId,
        /// Which attempt.
        attempt: u32,
        /// The tool to run.
        tool: ToolName,
        /// The model to ask, where one is wished for.
        model: Option<String>,
        /// How far this attempt may go: what is left of the task's limits and of the budgets that it draws on.
        limits: Box<Limits>,
        /// The tool's session to go on with.
        resume_session: Option<String>,
        /// Whether the task's user owns the worker.
        by_owner: bool,
        /// The task.
        head: Arc<TaskHead>,
    },
    /// Tell the worker to end this attempt.
    Cancel {
        /// Whom.
        worker_id: WorkerId,
        /// Which attempt.
        attempt: AttemptRef,
    },
    /// The worker's leases are gone: a socket that is still there is dead and can be closed.
    Silent {
        /// Which worker.
        worker_id: WorkerId,
    },
}

/// A task that has not ended.
#[derive(Debug)]
struct Entry {
    head: Arc<TaskHead>,
    state: TaskState,
    row: TaskRow,
    class: ClassKey,
    /// The tool of the current attempt.
    tool: Option<ToolName>,
    /// The model that was wished for in the current attempt.
    model: Option<String>,
    /// When the current attempt was given out.
    assigned_at: Timestamp,
    /// When the worker of the current attempt began.
    attempt_started_at: Option<Timestamp>,
    /// The machine on which the last attempt that began was interrupted: what it did lies there.
    interrupted_on: Option<WorkerId>,
    /// The worker's highest stored line of the current attempt.
    log_received: u64,
    /// Whether it stands in the ready queue.
    is_ready: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Board {
    last_number: i64,
    last_event: i64,
    tasks: HashMap<TaskNumber, Entry>,
    by_id: HashMap<TaskId, TaskNumber>,
    /// How many tasks of a person have not ended.
    live_of: HashMap<UserId, usize>,
    ready: ReadyQueue,
    fleet: Fleet,
    timers: BTreeSet<(Timestamp, Timer)>,
    usage: HashMap<UserId, Faded>,
    /// Machines that lately worked for a person, the latest last; a handful.
    familiar: HashMap<UserId, Vec<WorkerId>>,
    is_paused: bool,
    /// Ready tasks with another entry of their cascade behind the one they are at.
    cascading: BTreeSet<TaskNumber>,
    /// Until when machines that left are awaited.
    absence_ends: Option<Timestamp>,
    /// The generation of machines that cascades were looked at for.
    passed_generation: Option<u64>,
    dirty: Dirty,
    effects: Vec<Effect>,
}

/// How many machines a person's affinity remembers.
const FAMILIAR: usize = 4;
/// How long an assignment may stay unanswered.
const ACCEPT_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);
/// How long a refusal of the moment (no free slot) keeps a task from the queue.
const REFUSED_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

impl Board {
    /// A board for a store in which counting stands at `counters`.
    pub fn new(counters: Counters) -> Self {
        Self { last_number: counters.last_number, last_event: counters.last_event, ..Self::default() }
    }

    /// Takes up a task from the store. Its lease, if it has one, starts anew when its worker is restored.
    pub fn restore(&mut self, live: LiveTask, now: Timestamp) {
        let LiveTask { head, row, log_received, open } = live;
        let number = head.number;
        let state = state_of(&row);
        let class = ClassKey::of(head.user_id, &head.spec, row.course.as_deref(), &[]);
        self.by_id.insert(head.task_id, number);
        *self.live_of.entry(head.user_id).or_default() += 1;
        let was_lost = row.status == TaskStatus::Queued && row.failure_class == Some(FailureClass::Lost);
        let interrupted_on = row.worker_id.filter(|_| was_lost);
        if head.spec.cascade.len() > 1 {
            // Nobody has come back yet.
            self.await_return(now);
        }
        let (tool, model, attempt_started_at) =
            open.map_or_else(Default::default, |open| (Some(open.tool), open.model, open.started_at));
        let entry = Entry {
            head: Arc::new(head),
            state,
            row,
            class,
            tool,
            model,
            assigned_at: now,
            attempt_started_at,
            interrupted_on,
            log_received,
            is_ready: false,
        };
        self.tasks.insert(number, entry);
        match state {
            TaskState::Queued { .. } => self.enqueue(number, now),
            TaskState::Assigned { lease } => {
                self.restore_lease(lease, number, now);
                self.timers.insert((now + ACCEPT_WITHIN, Timer::Accept(number, lease.attempt)));
            }
            TaskState::Running { lease, .. } => {
                self.restore_lease(lease, number, now);
                self.arm_wall_clock(number, now);
            }
            // Its budget may have begun anew, or grown, while nobody looked.
            TaskState::Waiting { reason: WaitReason::Budget, .. } => self.wake_if_afforded(number, now),
            TaskState::Waiting { until, .. } => {
                if let Some(until) = until {
                    self.timers.insert((until, Timer::Wake(number)));
                }
            }
            TaskState::Completed | TaskState::Failed(_) | TaskState::Cancelled => {}
        }
    }

    /// Queues a task under the next number.
    pub fn submit(&mut self, new: NewTask, now: Timestamp) -> Arc<TaskHead> {
        self.last_number += 1;
        let number = TaskNumber(self.last_number);
        let class = ClassKey::of(new.user_id, &new.spec, None, &[]);
        let head = TaskHead {
            task_id: new.task_id,
            number,
            user_id: new.user_id,
            workflow_id: new.workflow_id,
            run_id: new.run_id,
            node: new.node,
            spec: new.spec,
            retry_of: new.retry_of,
            idempotency_key: new.idempotency_key,
            traceparent: new.traceparent,
            created_at: now,
        };
        let state = TaskState::Queued { ready_at: now };
        let row = TaskRow {
            version: 0,
            status: state.status(),
            worker_id: None,
            attempt: 0,
            failures: 0,
            losses: 0,
            ready_at: now,
            started_at: None,
            completed_at: None,
            progress: None,
            wait_reason: None,
            wait_until: None,
            cancel_requested_at: None,
            failure_class: None,
            error: None,
            log_seq: 0,
            course: None,
        };
        self.by_id.insert(head.task_id, number);
        *self.live_of.entry(head.user_id).or_default() += 1;
        let head = Arc::new(head);
        let entry = Entry {
            head: Arc::clone(&head),
            state,
            row,
            class,
            tool: None,
            model: None,
            assigned_at: now,
            attempt_started_at: None,
            interrupted_on: None,
            log_received: 0,
            is_ready: false,
        };
        self.tasks.insert(number, entry);
        self.dirty.inserted(number);
        self.task_event(EventKind::TaskQueued, number, None, now);
        self.arm_queue_wait(number);
        self.enqueue(number, now);
        head
    }

    /// Changes a queued task that has `version`, or the limits of one that waits for a budget.
    pub fn edit(
        &mut self,
        number: TaskNumber,
        version: i64,
        edit: TaskEdit,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let entry = self.tasks.get(&number).ok_or(CommandError::NotLive)?;
        let waits_for_budget = matches!(entry.state, TaskState::Waiting { reason: WaitReason::Budget, .. });
        // The session of one that waits has its prompt already.
        let may_change = waits_for_budget && edit.description.is_none();
        if !may_change && !matches!(entry.state, TaskState::Queued { .. }) {
            return Err(CommandError::NotIn(entry.state.status()));
        }
        let current = entry.row.version + i64::from(self.dirty.contains(number));
        if current != version {
            return Err(CommandError::VersionConflict(current));
        }
        self.dequeue(number);
        let Some(entry) = self.tasks.get_mut(&number) else { return Err(CommandError::NotLive) };
        let head = Arc::make_mut(&mut entry.head);
        if let Some(description) = edit.description {
            head.spec.description = description;
        }
        if let Some(priority) = edit.priority {
            head.spec.priority = priority;
        }
        if let Some(limits) = edit.limits {
            head.spec.limits = limits;
            self.arm_queue_wait(number);
        }
        self.dirty.spec_changed(number);
        self.task_event(EventKind::TaskEdited, number, None, now);
        if waits_for_budget {
            self.wake_if_afforded(number, now);
        } else {
            self.enqueue(number, now);
        }
        Ok(())
    }

    /// Ends a task: at once, or by way of its worker where it runs.
    pub fn cancel(&mut self, number: TaskNumber, now: Timestamp) -> Result<TaskStatus, CommandError> {
        let entry = self.tasks.get(&number).ok_or(CommandError::NotLive)?;
        let before = entry.state;
        match before {
            TaskState::Running { cancel_requested_at: Some(_), .. } => return Ok(TaskStatus::Running),
            TaskState::Running { lease, .. } => {
                self.transition(number, TaskEvent::Cancel { at: now }, now);
                self.task_event(EventKind::TaskCancelRequested, number, None, now);
                let attempt = self.attempt_ref(number, lease);
                self.effects.push(Effect::Cancel { worker_id: lease.worker_id, attempt });
            }
            TaskState::Assigned { lease } => {
                let attempt = self.attempt_ref(number, lease);
                self.close_attempt(number, lease, swarm_model::change::AttemptStatus::Cancelled, None, None, None, now);
                self.transition(number, TaskEvent::Cancel { at: now }, now);
                self.task_event(EventKind::TaskCancelled, number, None, now);
                self.effects.push(Effect::Cancel { worker_id: lease.worker_id, attempt });
            }
            TaskState::Queued { .. } | TaskState::Waiting { .. } => {
                self.dequeue(number);
                self.transition(number, TaskEvent::Cancel { at: now }, now);
                self.task_event(EventKind::TaskCancelled, number, None, now);
            }
            TaskState::Completed | TaskState::Failed(_) | TaskState::Cancelled => return Err(CommandError::NotLive),
        }
        Ok(self.tasks.get(&number).map_or(TaskStatus::Cancelled, |entry| entry.state.status()))
    }

    /// Ends everything of a person; gives how much that was.
    pub fn cancel_all_of(&mut self, user: UserId, now: Timestamp) -> usize {
        let theirs = self.tasks.iter().filter(|(_, entry)| entry.head.user_id == user);
        let mut numbers: Vec<TaskNumber> = theirs.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter(|number| self.cancel(*number, now).is_ok()).count()
    }

    /// Stops or restarts the hand-out for everyone.
    pub fn set_paused(&mut self, paused: bool, now: Timestamp) {
        if self.is_paused != paused {
            self.is_paused = paused;
            let detail = if paused { "paused" } else { "resumed" };
            self.event(EventKind::SwarmChanged, None, None, None, None, Some(detail.to_owned()), now);
        }
    }

    /// Takes up whether the hand-out was stopped, which is no news.
    pub fn restore_paused(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// Whether the hand-out is stopped.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Gives ready tasks to free workers until nothing fits; returns how many.
    pub fn allocate(&mut self, now: Timestamp) -> usize {
        self.pass_over_unserved(now);
        let mut assigned = 0;
        while let Some((number, class, worker, tool)) = self.pick(now) {
            self.assign(number, class, worker, tool, now);
            assigned += 1;
        }
        assigned
    }

    /// The next claim: whose turn it is, their first class that fits a free worker, and the best such worker.
    fn pick(&mut self, now: Timestamp) -> Option<(TaskNumber, ClassId, WorkerId, ToolName)> {
        if self.is_paused || self.fleet.n_free() == 0 || self.ready.len() == 0 {
            return None;
        }
        let users: Vec<UserId> = self.ready.users().collect();
        let mut turn: Option<(f64, UserId, TaskNumber, ClassId, WorkerId, ToolName)> = None;
        for user in users {
            for class_id in self.ready.classes_of(user) {
                let Some((number, worker, tool)) = self.fit(user, class_id) else { continue };
                let used = self.usage.get(&user).map_or(0.0, |usage| usage.value(now, USER_HALF_LIFE));
                // The owner of a contended machine weighs double on it.
                let owns = self.fleet.member(worker).is_some_and(|member| member.profile.owner == user);
                let counts = if owns { used / 2.0 } else { used };
                let first = turn.as_ref().is_none_or(|(least, other, ..)| (counts, user) < (*least, *other));
                if first {
                    turn = Some((counts, user, number, class_id, worker, tool));
                }
                break;
            }
        }
        turn.map(|(_, _, number, class, worker, tool)| (number, class, worker, tool))
    }

    /// The first task of a class and the best free worker for it.
    fn fit(&mut self, user: UserId, class_id: ClassId) -> Option<(TaskNumber, WorkerId, ToolName)> {
        let generation = self.fleet.generation();
        let class = self.ready.class_mut(class_id)?;
        if class.fitting_generation != Some(generation) {
            class.fitting = self.fleet.fitting(&class.key);
            class.fitting_generation = Some(generation);
        }
        let number = class.first()?;
        let familiar = self.familiar.get(&user).map_or(&[][..], Vec::as_slice);
        let interrupted_on = self.tasks.get(&number).and_then(|entry| entry.interrupted_on);
        let (worker, tool) = self.fleet.best(&class.key, &class.fitting, familiar, interrupted_on)?;
        Some((number, worker, tool))
    }

    fn assign(&mut self, number: TaskNumber, class: ClassId, worker_id: WorkerId, tool: ToolName, now: Timestamp) {
        debug_assert!(self.ready.class(class).is_some());
        self.dequeue(number);
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let attempt = entry.row.attempt + 1;
        entry.row.attempt = attempt;
        entry.row.worker_id = Some(worker_id);
        entry.row.progress = None;
        entry.tool = Some(tool.clone());
        entry.model.clone_from(&entry.class.model);
        entry.assigned_at = now;
        entry.attempt_started_at = None;
        entry.log_received = 0;
        let (user, model) = (entry.head.user_id, entry.model.clone());
        self.transition(number, TaskEvent::Assign(Lease { worker_id, attempt }), now);
        self.dirty.opened(swarm_model::change::OpenAttempt {
            number,
            attempt,
            worker_id,
            tool: tool.clone(),
            model,
            assigned_at: now,
        });
        self.task_event(EventKind::TaskAssigned, number, None, now);
        self.timers.insert((now + ACCEPT_WITHIN, Timer::Accept(number, attempt)));
        self.fleet.take(worker_id, number, user, &tool, now);
        self.enter_limit(worker_id, &tool, (number, attempt));

        if self.fleet.member(worker_id).is_some_and(|member| member.profile.is_contended()) {
            self.usage.entry(user).or_default().add(CLAIM_COST, now, USER_HALF_LIFE);
        }
        let familiar = self.familiar.entry(user).or_default();
        if familiar.last() != Some(&worker_id) {
            familiar.retain(|known| *known != worker_id);
            familiar.push(worker_id);
            if familiar.len() > FAMILIAR {
                familiar.remove(0);
            }
        }
        self.effects.extend(self.assignment(number));
    }

    /// What a worker is given to do with the attempt that it holds.
    fn assignment(&self, number: TaskNumber) -> Option<Effect> {
        let entry = self.tasks.get(&number)?;
        let lease = entry.state.lease()?;
        let tool = entry.tool.clone()?;
        let owner = self.fleet.member(lease.worker_id).map(|member| member.profile.owner);
        let resume = entry.row.course.as_ref().and_then(|course| course.resume.as_ref());
        let resume = resume.filter(|resume| resume.worker_id == lease.worker_id && resume.tool == tool);
        Some(Effect::Assign {
            worker_id: lease.worker_id,
            attempt: lease.attempt,
            model: entry.model.clone(),
            limits: Box::new(self.limits_for(entry, lease, &tool)),
            resume_session: resume.and_then(|resume| resume.session.clone()),
            by_owner: owner == Some(entry.head.user_id),
            head: Arc::clone(&entry.head),
            tool,
        })
    }

    /// What the store must write, and what to do once it has.
    pub fn take(&mut self) -> (Changes, Vec<Effect>) {
        let changes = self.take_changes();
        (changes, std::mem::take(&mut self.effects))
    }

    /// Workers whose view changed since the last call, with the view; `None` for one that is gone.
    pub fn take_worker_views(&mut self) -> Vec<(WorkerId, Option<WorkerView>)> {
        let touched = self.fleet.take_touched();
        touched.into_iter().map(|worker| (worker, self.fleet.view(worker))).collect()
    }

    /// How many tasks stand ready.
    pub fn n_ready(&self) -> usize {
        self.ready.len()
    }

    /// How many tasks have not ended.
    pub fn n_live(&self) -> usize {
        self.tasks.len()
    }

    /// How many tasks of a person have not ended.
    pub fn n_live_of(&self, user: UserId) -> usize {
        self.live_of.get(&user).copied().unwrap_or(0)
    }

    /// The number of a task that has not ended.
    pub fn number_of(&self, task: TaskId) -> Option<TaskNumber> {
        self.by_id.get(&task).copied()
    }

    /// A task as it is now, where it has not ended.
    pub fn task(&self, number: TaskNumber) -> Option<(&Arc<TaskHead>, &TaskRow)> {
        self.tasks.get(&number).map(|entry| (&entry.head, &entry.row))
    }

    /// An attempt that a worker holds without having answered, to be handed out again when it asks again.
    pub fn unanswered(&self, worker: WorkerId) -> Option<Effect> {
        let member = self.fleet.member(worker)?;
        let is_unanswered = |number: &&TaskNumber| {
            self.tasks.get(number).is_some_and(|entry| matches!(entry.state, TaskState::Assigned { .. }))
        };
        member.tasks.iter().find(is_unanswered).and_then(|number| self.assignment(*number))
    }

    fn attempt_ref(&self, number: TaskNumber, lease: Lease) -> AttemptRef {
        AttemptRef { task_id: self.tasks[&number].head.task_id, attempt: lease.attempt }
    }

    /// Puts a queued task into the ready queue, or sets the timer that will.
    fn enqueue(&mut self, number: TaskNumber, now: Timestamp) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let TaskState::Queued { ready_at } = entry.state else { return };
        if ready_at > now {
            self.timers.insert((ready_at, Timer::Ready(number)));
        } else if !entry.is_ready {
            self.choose_entry(number);
            if let Some((short, until)) = self.short_of(number, now) {
                return self.hold(number, short, until, now);
            }
            let Some(entry) = self.tasks.get_mut(&number) else { return };
            entry.is_ready = true;
            self.ready.insert(entry.class.clone(), entry.head.spec.priority, number);
            self.note_cascading(number);
        }
    }

    fn dequeue(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        if entry.is_ready {
            entry.is_ready = false;
            self.ready.remove(&entry.class, entry.head.spec.priority, number);
            self.cascading.remove(&number);
        }
    }

    /// Applies an event to a task's state and brings its row in line. The callers have checked that it is allowed.
    fn transition(&mut self, number: TaskNumber, event: TaskEvent, now: Timestamp) -> bool {
        let Some(entry) = self.tasks.get_mut(&number) else { return false };
        let next = match entry.state.on(event) {
            Ok(next) => next,
            Err(refused) => {
                debug_assert!(false, "task {number}: {refused}");
                return false;
            }
        };
        entry.state = next;
        let row = &mut entry.row;
        row.status = next.status();
        (row.wait_reason, row.wait_until) = (None, None);
        match next {
            TaskState::Queued { ready_at } => row.ready_at = ready_at,
            TaskState::Running { cancel_requested_at, .. } => row.cancel_requested_at = cancel_requested_at,
            TaskState::Waiting { reason, until } => (row.wait_reason, row.wait_until) = (Some(reason), until),
            TaskState::Failed(class) => row.failure_class = Some(class),
            TaskState::Completed => {
                (row.failure_class, row.error, row.progress) = (None, None, row.progress.map(|_| 100));
            }
            TaskState::Assigned { .. } | TaskState::Cancelled => {}
        }
        if row.status.is_terminal() {
            row.completed_at = Some(now);
        }
        self.dirty.updated(number);
        true
    }

    fn task_event(&mut self, kind: EventKind, number: TaskNumber, detail: Option<String>, now: Timestamp) {
        let Some(entry) = self.tasks.get(&number) else { return };
        let attempt = (entry.row.attempt > 0).then_some(entry.row.attempt);
        let (user, worker) = (entry.head.user_id, attempt.and(entry.row.worker_id));
        self.event(kind, Some(user), Some(number), worker, attempt, detail, now);
    }

    #[expect(clippy::too_many_arguments, reason = "an event is exactly these facts")]
    fn event(
        &mut self,
        kind: EventKind,
        user_id: Option<UserId>,
        number: Option<TaskNumber>,
        worker_id: Option<WorkerId>,
        attempt: Option<u32>,
        detail: Option<String>,
        at: Timestamp,
    ) {
        self.last_event += 1;
        let id = EventId(self.last_event);
        self.dirty.event(EventRecord { id, at, kind, user_id, number, worker_id, attempt, detail });
    }
}

/// The state that a row tells of.
fn state_of(row: &TaskRow) -> TaskState {
    let lease = row.worker_id.map(|worker_id| Lease { worker_id, attempt: row.attempt });
    match (row.status, lease) {
        (TaskStatus::Assigned, Some(lease)) => TaskState::Assigned { lease },
        (TaskStatus::Running, Some(lease)) => {
            TaskState::Running { lease, cancel_requested_at: row.cancel_requested_at }
        }
        // A row that says it is held by nobody can be given out again without harm.
        (TaskStatus::Queued | TaskStatus::Assigned | TaskStatus::Running, _) => {
            TaskState::Queued { ready_at: row.ready_at }
        }
        (TaskStatus::Waiting, _) => {
            TaskState::Waiting { reason: row.wait_reason.unwrap_or(WaitReason::Quota), until: row.wait_until }
        }
        (TaskStatus::Completed, _) => TaskState::Completed,
        (TaskStatus::Failed, _) => TaskState::Failed(row.failure_class.unwrap_or(FailureClass::ProcessFailed)),
        (TaskStatus::Cancelled, _) => TaskState::Cancelled,
    }
}

#[cfg(test)]
mod tests;
