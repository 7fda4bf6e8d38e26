//! What is told once a commit stands: answers, frames, and the news of the hub.

use std::collections::HashMap;
use std::sync::Arc;

use swarm_engine::{Effect, WorkerView};
use swarm_model::change::{Changes, TaskHead};
use swarm_model::task::TaskInput;
use swarm_model::worker::AttemptRef;
use swarm_model::{SessionId, WorkerId, crash};
use swarm_proto::worker::{Assignment, ReportReply, ToWorker};

use super::Drive;
use crate::dispatch::command::Reply;
use crate::dispatch::{DispatchError, SubmittedTask};
use crate::hub::Notice;

/// What one commit holds, and what follows from it.
pub(super) struct Turn {
    pub(super) changes: Changes,
    pub(super) answers: Vec<Answer>,
    effects: Vec<Effect>,
    views: Vec<(WorkerId, Option<WorkerView>)>,
}

/// Answers a caller; with the failure of the commit, if it failed.
type Tell = Box<dyn FnOnce(Option<&DispatchError>) + Send>;

/// What is told to one asker once the commit stands, or that it does not.
pub(super) enum Answer {
    /// To a caller.
    Caller(Tell),
    /// To a caller who submitted tasks.
    Submitted { tasks: Vec<Submitted>, reply: Reply<Vec<SubmittedTask>> },
    /// To a worker's socket, if it is still this session's. After a failed commit the socket is closed, which says
    /// more than any frame.
    Frame { worker: WorkerId, session: Option<SessionId>, frame: ToWorker },
}

/// A task that was asked for.
pub(super) enum Submitted {
    /// As it stands.
    Told(Box<SubmittedTask>),
    /// On the board; `is_known` where its key gave one that was there.
    Queued { head: Arc<TaskHead>, is_known: bool },
}

impl Answer {
    pub(super) fn fail(self, error: &DispatchError) {
        match self {
            Self::Caller(tell) => tell(Some(error)),
            // A caller that went away needs no answer.
            Self::Submitted { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Frame { .. } => {}
        }
    }
}

impl Drive {
    /// Lets the board decide, and takes off what is to be written and told.
    pub(super) fn take_turn(&mut self) -> Turn {
        let now = self.deps.clock.now();
        self.board.tick(now);
        self.board.allocate(now);
        let mut answers = std::mem::take(&mut self.answers);
        let (changes, effects) = self.board.take();
        for answer in &mut answers {
            if let Answer::Submitted { tasks, .. } = answer {
                for task in tasks {
                    self.look_up(task, &changes);
                }
            }
        }
        self.weight = 0;
        self.fresh.swap(0, 1);
        self.fresh[0].clear();
        Turn { changes, answers, effects, views: self.board.take_worker_views() }
    }

    /// A submitted task as these changes leave it: on the board, or ended in them.
    fn look_up(&self, task: &mut Submitted, changes: &Changes) {
        let Submitted::Queued { head, is_known } = task else { return };
        let number = head.number;
        let (mut row, mut result) = (None, None);
        if let Some((current, live)) = self.board.task(number) {
            *head = Arc::clone(current);
            row = Some(live);
        } else if let Ok(place) = changes.inserts.binary_search_by_key(&number, |insert| insert.head.number) {
            row = Some(&changes.inserts[place].row);
        } else if let Ok(place) = changes.updates.binary_search_by_key(&number, |update| update.number) {
            let update = &changes.updates[place];
            row = Some(&update.row);
            // Our own text, written a moment ago.
            result = update.result.as_deref().and_then(|text| serde_json::from_str(text).ok());
        }
        if let Some(row) = row {
            let told = SubmittedTask { head: Arc::clone(head), row: row.clone(), result, is_known: *is_known };
            *task = Submitted::Told(Box::new(told));
        }
    }

    pub(super) fn tell(&mut self, turn: Turn) {
        let Turn { changes, answers, effects, views } = turn;
        self.live.update(views);
        if !changes.limits.is_empty() {
            self.live.set_limits(self.board.limits());
        }
        self.late_came |= !changes.late.is_empty();
        if self.shown_budgets != self.board.budgets_generation() {
            self.show_budgets();
        }
        crash::point("answer.before");
        for answer in answers {
            self.give(answer);
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

    fn give(&self, answer: Answer) {
        match answer {
            Answer::Caller(tell) => tell(None),
            Answer::Submitted { tasks, reply } => {
                let tasks = tasks.into_iter().filter_map(|task| match task {
                    Submitted::Told(task) => Some(*task),
                    Submitted::Queued { .. } => None,
                });
                // A caller that went away needs no answer.
                reply.send(Ok(tasks.collect())).ok();
            }
            Answer::Frame { worker, session, frame } => {
                let outbox = self.outboxes.get(&worker);
                if let Some(outbox) = outbox.filter(|outbox| session.is_none_or(|session| outbox.session == session)) {
                    // A full outbox is a dead socket.
                    outbox.frames.try_send(frame).ok();
                }
            }
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

    /// Answers a caller after the commit; with the commit's failure if it fails.
    pub(super) fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, outcome: Result<T, DispatchError>) {
        self.answers.push(Answer::Caller(Box::new(move |failure| {
            let answer = match failure {
                None => outcome,
                Some(error) => Err(error.clone()),
            };
            // A caller that went away needs no answer.
            reply.send(answer).ok();
        })));
    }

    /// Acknowledges to a worker's socket after the commit.
    pub(super) fn acknowledge(&mut self, worker: WorkerId, session: Option<SessionId>, reply: ReportReply) {
        self.answers.push(Answer::Frame { worker, session, frame: ToWorker::Ack(reply) });
    }
}

/// The frame for an assignment; `None` for other effects.
pub(super) fn assignment(effect: Effect) -> Option<Assignment> {
    let Effect::Assign { attempt, tool, model, limits, resume_session, by_owner, head, .. } = effect else {
        return None;
    };
    // What an attempt of its own left behind comes before the session that a person named.
    let resume_session = resume_session.or_else(|| match &head.spec.input {
        TaskInput::Prompt { session, .. } => session.clone(),
        TaskInput::Command { .. } => None,
    });
    Some(Assignment {
        task_id: head.task_id,
        number: head.number,
        attempt,
        user_id: head.user_id,
        by_owner,
        tool,
        model,
        description: head.spec.description.clone(),
        input: head.spec.input.clone(),
        limits: *limits,
        repository: head.spec.repository.clone(),
        network: head.spec.network.clone(),
        isolation: head.spec.requirements.isolation,
        resume_session,
        traceparent: head.traceparent.clone(),
    })
}
