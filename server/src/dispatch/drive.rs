//! The loop: drain, decide, commit, carry out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use swarm_engine::{Board, Counters, Effect, NewTask};
use swarm_model::change::Changes;
use swarm_model::task::TaskInput;
use swarm_model::worker::AttemptRef;
use swarm_model::{SessionId, TaskNumber, TaskStatus, Timestamp, UserId, WorkerId, crash};
use swarm_proto::worker::{Assignment, LogReceipt, Report, ReportReply, ToWorker};
use swarm_store::{StoreError, TaskStore};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::command::{Command, HeartbeatReport, ReportTo};
use super::{Deps, DispatchError, JoinReply, LiveWorkers, SubmittedTask, WaitingByUser, with_pause};
use crate::hub::Notice;

/// The most work that one commit takes on.
const MAX_BATCH: usize = 4096;
/// How long the loop sleeps at the most; a bound for clocks that are moved by hand.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A worker's way back: the frames of its socket.
struct Outbox {
    session: SessionId,
    frames: mpsc::Sender<ToWorker>,
}

/// What is told once the commit stands, or that it does not.
type After = Box<dyn FnOnce(Result<&mut Told<'_>, &DispatchError>) + Send>;

/// What answers may look at after the commit.
struct Told<'a> {
    board: &'a Board,
    outboxes: &'a HashMap<WorkerId, Outbox>,
    /// Tasks that were submitted and may have ended in the same commit.
    changes: &'a Changes,
}

pub(super) struct Drive {
    deps: Deps,
    live: LiveWorkers,
    board: Board,
    outboxes: HashMap<WorkerId, Outbox>,
    pulls: HashMap<WorkerId, oneshot::Sender<Assignment>>,
    waiting: WaitingByUser,
    /// Tasks of this turn by idempotency key; the store does not know them yet.
    fresh: HashMap<(UserId, String), TaskNumber>,
    after: Vec<After>,
}

impl Drive {
    pub(super) async fn load(deps: Deps, live: LiveWorkers) -> Result<Self, StoreError> {
        live.set_swarm_paused(deps.is_paused);
        let mut drive = Self {
            deps,
            live,
            board: Board::default(),
            outboxes: HashMap::new(),
            pulls: HashMap::new(),
            waiting: HashMap::new(),
            fresh: HashMap::new(),
            after: Vec::new(),
        };
        drive.rebuild().await?;
        Ok(drive)
    }

    /// Makes the board anew from what the store holds; connected workers stay.
    async fn rebuild(&mut self) -> Result<(), StoreError> {
        let counters = self.deps.store.counters().await?;
        let live = self.deps.store.load_live().await?;
        let now = self.deps.clock.now();
        let mut board = Board::new(Counters { last_number: counters.last_number.0, last_event: counters.last_event.0 });
        for worker in self.live.all() {
            if worker.status != swarm_model::WorkerStatus::Offline {
                board.restore_worker(worker.profile.clone(), now);
            }
        }
        self.waiting.clear();
        for task in live {
            *self.waiting.entry(task.head.user_id).or_default() += 1;
            board.restore(task, now);
        }
        board.restore_paused(self.live.is_swarm_paused());
        self.board = board;
        Ok(())
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let first = tokio::select! {
                biased;
                command = inbox.recv() => match command {
                    Some(command) => Some(command),
                    None => break,
                },
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(self.until_due()) => None,
            };
            let mut weight = first.as_ref().map_or(0, Command::weight);
            batch.extend(first);
            while weight < MAX_BATCH {
                let Ok(command) = inbox.try_recv() else { break };
                weight += command.weight();
                batch.push(command);
            }
            self.turn(std::mem::take(&mut batch)).await;
        }
        // Callers whose command was not taken up learn it from the closed channel.
    }

    fn until_due(&self) -> Duration {
        let now = self.deps.clock.now();
        self.board.next_deadline().map_or(LONGEST_SLEEP, |due| due.since(now).min(LONGEST_SLEEP))
    }

    /// One turn of the loop.
    async fn turn(&mut self, commands: Vec<Command>) {
        let known = match known_keys(&*self.deps.store, &commands).await {
            Ok(known) => known,
            Err(error) => {
                self.fail_submissions(commands, error);
                return;
            }
        };
        let now = self.deps.clock.now();
        self.board.tick(now);
        for command in commands {
            self.apply(command, &known, now);
        }
        self.fresh.clear();
        self.board.allocate(now);
        let (changes, effects) = self.board.take();
        match commit(&*self.deps.store, &changes).await {
            Ok(()) => self.carry_out(changes, effects),
            Err(error) => self.roll_back(error).await,
        }
    }

    /// Nothing of this turn happened: everyone is told so, and the board is what the store holds.
    async fn roll_back(&mut self, error: StoreError) {
        tracing::error!(error = &error as &dyn std::error::Error, "a commit failed; nothing of it was told");
        metrics::counter!("garageswarm_commit_failures_total").increment(1);
        let error = DispatchError::Store(Arc::new(error));
        for after in self.after.drain(..) {
            after(Err(&error));
        }
        // Workers learn from the closed socket that their report did not count, and send it again.
        self.outboxes.clear();
        self.pulls.clear();
        let mut pause = Duration::from_millis(50);
        while let Err(error) = self.rebuild().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    fn carry_out(&mut self, changes: Changes, effects: Vec<Effect>) {
        self.live.update(self.board.take_worker_views());
        self.count_waiting(&changes);
        let mut told = Told { board: &self.board, outboxes: &self.outboxes, changes: &changes };
        crash::point("answer.before");
        for after in self.after.drain(..) {
            after(Ok(&mut told));
        }
        crash::point("answer.after");
        self.hand_out(effects);
        crash::point("effects.after");
        crate::telemetry::record_changes(&changes);
        if self.deps.hub.has_listeners() && !(changes.events.is_empty() && changes.logs.is_empty()) {
            let logged = changes.logs.iter().map(|log| log.number).collect();
            self.deps.hub.publish(Notice { events: changes.events, logged });
        }
    }

    fn hand_out(&mut self, effects: Vec<Effect>) {
        let mut assignments: HashMap<WorkerId, Vec<Assignment>> = HashMap::new();
        let mut cancels: HashMap<WorkerId, Vec<AttemptRef>> = HashMap::new();
        for effect in effects {
            match effect {
                Effect::Assign { worker_id, .. } => {
                    if let Some(assignment) = assignment(effect) {
                        assignments.entry(worker_id).or_default().push(assignment);
                    }
                }
                Effect::Cancel { worker_id, attempt } => cancels.entry(worker_id).or_default().push(attempt),
                Effect::Silent { worker_id } => {
                    self.outboxes.remove(&worker_id);
                    self.pulls.remove(&worker_id);
                }
            }
        }
        for (worker, tasks) in assignments {
            if let Some(outbox) = self.outboxes.get(&worker) {
                // A full outbox is a dead socket; the assignment goes back when it stays unanswered.
                outbox.frames.try_send(ToWorker::Assign { tasks }).ok();
            } else if let Some(pull) = self.pulls.remove(&worker)
                && let Some(task) = tasks.into_iter().next()
            {
                // A caller that is gone asks again and gets the same one.
                pull.send(task).ok();
            }
        }
        for (worker, attempts) in cancels {
            if let Some(outbox) = self.outboxes.get(&worker) {
                // If the frame is lost, the next heartbeat says it again.
                outbox.frames.try_send(ToWorker::Cancel { attempts }).ok();
            }
        }
    }

    fn count_waiting(&mut self, changes: &Changes) {
        for insert in &changes.inserts {
            if !insert.row.status.is_terminal() {
                *self.waiting.entry(insert.head.user_id).or_default() += 1;
            }
        }
        let ends = |status: TaskStatus| status.is_terminal();
        for update in changes.updates.iter().filter(|update| ends(update.row.status)) {
            let owner = changes
                .events
                .iter()
                .rev()
                .find(|event| event.number == Some(update.number))
                .and_then(|event| event.user_id);
            if let Some(count) = owner.and_then(|owner| self.waiting.get_mut(&owner)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// The store could not even be read: nothing was applied yet, and everyone is told.
    fn fail_submissions(&mut self, commands: Vec<Command>, error: StoreError) {
        let known = HashMap::new();
        let now = self.deps.clock.now();
        let error = DispatchError::Store(Arc::new(error));
        for command in commands {
            // Applied to a board that is thrown away right after; only the answers matter.
            self.apply(command, &known, now);
        }
        for after in self.after.drain(..) {
            after(Err(&error));
        }
        self.board.take();
    }

    fn apply(&mut self, command: Command, known: &HashMap<(UserId, String), SubmittedTask>, now: Timestamp) {
        match command {
            Command::Submit { tasks, reply } => self.submit(tasks, known, reply, now),
            Command::Edit { number, version, edit, reply } => {
                let outcome = self.board.edit(number, version, edit, now);
                self.answer(reply, outcome.map_err(DispatchError::from));
            }
            Command::Cancel { number, reply } => {
                let outcome = self.board.cancel(number, now);
                self.answer(reply, outcome.map_err(DispatchError::from));
            }
            Command::Placement { number, visible, reply } => {
                let report = self.board.placement(number, |worker| visible.contains(&worker), now);
                self.answer(reply, Ok(report));
            }
            Command::Join { profile, session, named, outbox, reply } => {
                let worker = profile.worker_id;
                let paused = profile.pauses.by_coordinator || self.board.is_paused();
                let joined = self.board.worker_joined(*profile, &named, now);
                self.outboxes.remove(&worker);
                if let Some(frames) = outbox {
                    self.outboxes.insert(worker, Outbox { session, frames });
                }
                self.answer(reply, Ok(JoinReply { joined, paused }));
            }
            Command::Leave { worker, session } => {
                // An older socket that closes says nothing about the newer one.
                if self.outboxes.get(&worker).is_some_and(|outbox| outbox.session == session) {
                    self.outboxes.remove(&worker);
                    self.board.worker_left(worker, now);
                }
            }
            Command::Disconnect { worker } => {
                self.outboxes.remove(&worker);
                self.pulls.remove(&worker);
                self.board.worker_left(worker, now);
            }
            Command::Heartbeat { worker, load, running, reply } => self.heartbeat(worker, load, &running, reply, now),
            Command::Report { worker, report, to } => self.report(worker, report, to, now),
            Command::Pull { worker, reply } => self.pull(worker, reply, now),
            Command::EndPull { worker } => {
                if self.pulls.get(&worker).is_some_and(oneshot::Sender::is_closed) {
                    self.pulls.remove(&worker);
                    self.board.set_pulling(worker, false, now);
                }
            }
            Command::Capabilities { worker, capabilities } => self.board.set_capabilities(worker, *capabilities, now),
            Command::Pause { worker, by_owner, paused, reply } => {
                if let Some(pauses) = self.board.pauses(worker) {
                    self.board.set_pauses(worker, with_pause(pauses, by_owner, paused), now);
                    if !by_owner {
                        self.push(worker, if paused { ToWorker::Pause } else { ToWorker::Resume });
                    }
                }
                self.answer(reply, Ok(()));
            }
            Command::Drain { worker, draining, reply } => {
                self.board.set_draining(worker, draining, now);
                self.push(worker, if draining { ToWorker::Drain } else { ToWorker::Resume });
                self.answer(reply, Ok(()));
            }
            Command::Remove { worker, reply } => {
                self.board.worker_removed(worker, now);
                self.outboxes.remove(&worker);
                self.pulls.remove(&worker);
                self.answer(reply, Ok(()));
            }
            Command::Holds { worker, attempt, reply } => {
                let number = self.board.holds(worker, attempt).then(|| self.board.number_of(attempt.task_id)).flatten();
                self.answer(reply, Ok(number));
            }
            Command::PauseAll { paused, reply } => {
                self.board.set_paused(paused, now);
                self.live.set_swarm_paused(paused);
                self.answer(reply, Ok(()));
            }
            Command::Tick { reply } => self.answer(reply, Ok(())),
        }
    }

    /// Answers after the commit; with the commit's failure if it fails.
    fn answer<T: Send + 'static>(
        &mut self,
        reply: oneshot::Sender<Result<T, DispatchError>>,
        outcome: Result<T, DispatchError>,
    ) {
        self.after.push(Box::new(move |committed| {
            let answer = match committed {
                Ok(_) => outcome,
                Err(error) => Err(error.clone()),
            };
            // A caller that went away needs no answer.
            reply.send(answer).ok();
        }));
    }

    fn push(&self, worker: WorkerId, frame: ToWorker) {
        if let Some(outbox) = self.outboxes.get(&worker) {
            // `welcome` says it again after a reconnect.
            outbox.frames.try_send(frame).ok();
        }
    }

    fn submit(
        &mut self,
        tasks: Vec<NewTask>,
        known: &HashMap<(UserId, String), SubmittedTask>,
        reply: oneshot::Sender<Result<Vec<SubmittedTask>, DispatchError>>,
        now: Timestamp,
    ) {
        if let Some(error) = self.too_many(&tasks) {
            return self.answer(reply, Err(error));
        }
        let mut places = Vec::with_capacity(tasks.len());
        for task in tasks {
            let key = task.idempotency_key.clone().map(|key| (task.user_id, key));
            let earlier = key.as_ref().and_then(|key| known.get(key));
            let in_batch = key.as_ref().and_then(|key| self.fresh.get(key).copied());
            places.push(match (earlier, in_batch) {
                (Some(earlier), _) => Err(Box::new(earlier.clone())),
                (None, Some(number)) => Ok((number, true)),
                (None, None) => {
                    let number = self.board.submit(task, now);
                    if let Some(key) = key {
                        self.fresh.insert(key, number);
                    }
                    Ok((number, false))
                }
            });
        }
        self.after.push(Box::new(move |committed| {
            let answer = match committed {
                Ok(told) => Ok(places.into_iter().filter_map(|place| told.submitted(place)).collect()),
                Err(error) => Err(error.clone()),
            };
            reply.send(answer).ok();
        }));
    }

    fn too_many(&self, tasks: &[NewTask]) -> Option<DispatchError> {
        let user = tasks.first()?.user_id;
        let waiting = self.waiting.get(&user).copied().unwrap_or(0);
        let limit = self.deps.max_waiting;
        (waiting + tasks.len() > limit).then_some(DispatchError::TooManyWaiting { waiting, limit })
    }

    fn heartbeat(
        &mut self,
        worker: WorkerId,
        load: swarm_model::worker::Load,
        running: &[AttemptRef],
        reply: Option<oneshot::Sender<Result<HeartbeatReport, DispatchError>>>,
        now: Timestamp,
    ) {
        let joined = self.board.heartbeat(worker, load, running, now);
        let paused = self.board.is_paused() || self.board.pauses(worker).is_some_and(|pauses| pauses.by_coordinator);
        match (reply, joined) {
            (Some(reply), Some(joined)) => {
                let report = HeartbeatReport { stale: joined.stale, cancel: joined.cancel, paused };
                self.answer(reply, Ok(report));
            }
            (Some(reply), None) => self.answer(reply, Err(DispatchError::UnknownWorker)),
            (None, Some(joined)) => {
                if !joined.stale.is_empty() || !joined.cancel.is_empty() {
                    let told = ReportReply { stale: joined.stale, cancel: joined.cancel, ..ReportReply::default() };
                    self.push(worker, ToWorker::Ack(told));
                }
            }
            // A socket whose worker was declared lost: closing it makes the worker say hello again.
            (None, None) => {
                self.outboxes.remove(&worker);
            }
        }
    }

    fn report(&mut self, worker: WorkerId, report: Report, to: ReportTo, now: Timestamp) {
        let reply = self.apply_report(worker, report, now);
        match to {
            ReportTo::Caller(caller) => self.answer(caller, Ok(reply)),
            ReportTo::Socket(session) => self.after.push(Box::new(move |committed| {
                // After a failed commit the socket is closed, which says more than any frame.
                let Ok(told) = committed else { return };
                if let Some(outbox) = told.outboxes.get(&worker).filter(|outbox| outbox.session == session) {
                    outbox.frames.try_send(ToWorker::Ack(reply)).ok();
                }
            })),
        }
    }

    fn apply_report(&mut self, worker: WorkerId, report: Report, now: Timestamp) -> ReportReply {
        let board = &mut self.board;
        let mut reply = ReportReply::default();
        board.alive(worker, now);
        for attempt in report.accepted {
            if board.accept(worker, attempt, now).is_err() {
                reply.stale.push(attempt);
            } else if board.is_cancel_requested(worker, attempt) {
                reply.cancel.push(attempt);
            }
        }
        for refusal in report.refused {
            if board.refuse(worker, refusal.attempt, &refusal.reason, now).is_err() {
                reply.stale.push(refusal.attempt);
            }
        }
        for progress in report.progress {
            if board.progress(worker, progress.attempt, progress.progress).is_err() {
                reply.stale.push(progress.attempt);
            }
        }
        for batch in report.logs {
            match board.log(worker, batch.attempt, batch.lines) {
                Ok(received) => reply.logs.push(LogReceipt { attempt: batch.attempt, received }),
                Err(_) => reply.stale.push(batch.attempt),
            }
        }
        for result in report.results {
            board.result(worker, result.attempt, result.outcome, result.record, now);
            reply.results.push(result.attempt);
        }
        reply.stale.dedup();
        reply
    }

    fn pull(
        &mut self,
        worker: WorkerId,
        reply: oneshot::Sender<Result<oneshot::Receiver<Assignment>, DispatchError>>,
        now: Timestamp,
    ) {
        let (task, answer) = oneshot::channel();
        self.board.alive(worker, now);
        if let Some(again) = self.board.unanswered(worker).and_then(assignment) {
            task.send(again).ok();
        } else if self.board.set_pulling(worker, true, now) {
            self.pulls.insert(worker, task);
        } else {
            return self.answer(reply, Err(DispatchError::UnknownWorker));
        }
        self.answer(reply, Ok(answer));
    }
}

impl Told<'_> {
    fn submitted(&self, place: Result<(TaskNumber, bool), Box<SubmittedTask>>) -> Option<SubmittedTask> {
        let (number, is_known) = match place {
            Err(earlier) => return Some(*earlier),
            Ok(place) => place,
        };
        if let Some((head, row)) = self.board.task(number) {
            return Some(SubmittedTask { head: Arc::clone(head), row: row.clone(), result: None, is_known });
        }
        // It ended in the commit that submitted it.
        let insert = self.changes.inserts.iter().find(|insert| insert.head.number == number)?;
        Some(SubmittedTask { head: Arc::new(insert.head.clone()), row: insert.row.clone(), result: None, is_known })
    }
}

/// Tasks that were submitted before under the keys of this batch.
async fn known_keys(
    store: &dyn TaskStore,
    commands: &[Command],
) -> Result<HashMap<(UserId, String), SubmittedTask>, StoreError> {
    let submitted = commands.iter().filter_map(|command| match command {
        Command::Submit { tasks, .. } => Some(tasks),
        _ => None,
    });
    let keys: Vec<_> =
        submitted.flatten().filter_map(|task| task.idempotency_key.clone().map(|key| (task.user_id, key))).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = store.tasks_by_key(&keys).await?;
    let known = found.into_iter().filter_map(|task| {
        let key = (task.head.user_id, task.head.idempotency_key.clone()?);
        let known = SubmittedTask { head: Arc::new(task.head), row: task.row, result: task.result, is_known: true };
        Some((key, known))
    });
    Ok(known.collect())
}

async fn commit(store: &dyn TaskStore, changes: &Changes) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    crash::point("commit.before");
    let started = tokio::time::Instant::now();
    store.commit(changes).await?;
    metrics::histogram!("garageswarm_commit_seconds").record(started.elapsed().as_secs_f64());
    crash::point("commit.after");
    Ok(())
}

/// The frame for an assignment; `None` for other effects.
fn assignment(effect: Effect) -> Option<Assignment> {
    let Effect::Assign { attempt, tool, by_owner, head, .. } = effect else { return None };
    let resume_session = match &head.spec.input {
        TaskInput::Prompt { session, .. } => session.clone(),
        TaskInput::Command { .. } => None,
    };
    Some(Assignment {
        task_id: head.task_id,
        number: head.number,
        attempt,
        user_id: head.user_id,
        by_owner,
        tool,
        model: head.spec.model.clone(),
        description: head.spec.description.clone(),
        input: head.spec.input.clone(),
        limits: head.spec.limits.clone(),
        resume_session,
        traceparent: head.traceparent.clone(),
    })
}
