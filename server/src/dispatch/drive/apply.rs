//! What each command does to the board.

use std::collections::HashMap;
use std::sync::Arc;

use swarm_engine::NewTask;
use swarm_model::worker::AttemptRef;
use swarm_model::{Timestamp, WorkerId};
use swarm_proto::worker::{Assignment, LogReceipt, Report, ReportReply, ToWorker};
use tokio::sync::oneshot;

use super::tell::{Answer, Submitted, assignment};
use super::{Drive, Key, Outbox};
use crate::dispatch::command::{Command, HeartbeatReport, Reply, ReportTo};
use crate::dispatch::{DispatchError, JoinReply, SubmittedTask, with_pause};

impl Drive {
    pub(super) fn apply(&mut self, command: Command, known: &HashMap<Key, SubmittedTask>, now: Timestamp) {
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
            Command::CancelAllOf { user, reply } => {
                let n_cancelled = self.board.cancel_all_of(user, now);
                self.answer(reply, Ok(n_cancelled));
            }
            Command::People { worker, machine_name, shared, operators, reply } => {
                self.board.set_people(worker, machine_name, shared, operators, now);
                self.answer(reply, Ok(()));
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
            // The board has taken them up before this.
            Command::Budgets { reply } | Command::Tick { reply } => self.answer(reply, Ok(())),
        }
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
        known: &HashMap<Key, SubmittedTask>,
        reply: Reply<Vec<SubmittedTask>>,
        now: Timestamp,
    ) {
        if let Some(error) = self.too_many(&tasks) {
            return self.answer(reply, Err(error));
        }
        let mut submitted = Vec::with_capacity(tasks.len());
        for task in tasks {
            let key = task.idempotency_key.clone().map(|key| (task.user_id, key));
            let earlier = key.as_ref().and_then(|key| known.get(key));
            let on_board = key.as_ref().and_then(|key| self.fresh.iter().find_map(|fresh| fresh.get(key).cloned()));
            submitted.push(match (earlier, on_board) {
                (Some(earlier), _) => Submitted::Told(Box::new(earlier.clone())),
                (None, Some(head)) => Submitted::Queued { head, is_known: true },
                (None, None) => {
                    let head = self.board.submit(task, now);
                    if let Some(key) = key {
                        self.fresh[0].insert(key, Arc::clone(&head));
                    }
                    Submitted::Queued { head, is_known: false }
                }
            });
        }
        self.answers.push(Answer::Submitted { tasks: submitted, reply });
    }

    fn too_many(&self, tasks: &[NewTask]) -> Option<DispatchError> {
        let user = tasks.first()?.user_id;
        let waiting = self.board.n_live_of(user);
        let limit = self.deps.max_waiting;
        (waiting + tasks.len() > limit).then_some(DispatchError::TooManyWaiting { waiting, limit })
    }

    fn heartbeat(
        &mut self,
        worker: WorkerId,
        load: swarm_model::worker::Load,
        running: &[AttemptRef],
        reply: Option<Reply<HeartbeatReport>>,
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
                    self.acknowledge(worker, None, told);
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
            ReportTo::Socket(session) => self.acknowledge(worker, Some(session), reply),
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

    fn pull(&mut self, worker: WorkerId, reply: Reply<oneshot::Receiver<Assignment>>, now: Timestamp) {
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
