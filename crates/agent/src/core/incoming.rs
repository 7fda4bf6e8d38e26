//! What the coordinator says.

use swarm_model::crash;
use swarm_model::worker::{AttemptRef, LeaseTerms};
use swarm_proto::worker::{LogReceipt, ReportReply, ToWorker};

use super::Core;
use crate::attempt::{Attempt, Then};
use crate::control::LinkStatus;
use crate::journal::Closing;

impl Core {
    pub(super) fn take_frame(&mut self, frame: ToWorker) {
        let is_answer = matches!(frame, ToWorker::Ack(_));
        match frame {
            ToWorker::Welcome { worker_id: _, terms, stale, cancel, logs, paused } => {
                self.welcomed(terms, &stale, &cancel, &logs, paused);
            }
            // Before the greeting is over, nothing that it says can be about us.
            _ if !self.link.is_up() => {}
            ToWorker::Assign { tasks } => {
                for assignment in tasks {
                    self.assigned(assignment);
                }
            }
            ToWorker::Ack(reply) => self.acknowledged(&reply),
            ToWorker::Cancel { attempts } => self.cancel(&attempts),
            ToWorker::Pause => self.paused = true,
            ToWorker::Drain => self.draining = true,
            ToWorker::Resume => (self.paused, self.draining) = (false, false),
            ToWorker::Unknown => {}
        }
        let owes = self.attempts.iter().any(Attempt::awaits);
        self.link.heard(is_answer, owes);
    }

    fn welcomed(
        &mut self,
        terms: LeaseTerms,
        stale: &[AttemptRef],
        cancel: &[AttemptRef],
        logs: &[LogReceipt],
        paused: bool,
    ) {
        self.link.welcomed(terms, self.stopping.is_some());
        self.set_link_status(LinkStatus::Connected);
        tracing::info!("connected to the coordinator");
        (self.paused, self.draining) = (paused, false);
        // Of an earlier connection: the coordinator has given them to somebody else by now.
        self.refusals.clear();
        for attempt in stale {
            self.disown(*attempt);
        }
        for attempt in &mut self.attempts {
            let name = attempt.name();
            let received = logs.iter().find(|receipt| receipt.attempt == name).map_or(0, |receipt| receipt.received);
            if let Err(error) = attempt.reconnect(received) {
                tracing::error!(%error, task = %name.task_id, "the journal cannot be read");
            }
        }
        self.cancel(cancel);
    }

    fn acknowledged(&mut self, reply: &ReportReply) {
        let ReportReply { results, logs, stale, cancel } = reply;
        for receipt in logs {
            if let Some(index) = self.find(receipt.attempt)
                && let Err(error) = self.attempts[index].log.acknowledge(receipt.received)
            {
                tracing::error!(%error, task = %receipt.attempt.task_id, "the journal cannot be read");
            }
        }
        if !results.is_empty() {
            crash::point("agent.ack.received");
        }
        for attempt in results {
            self.let_go(*attempt, Closing::Acknowledged);
        }
        for attempt in stale {
            self.disown(*attempt);
        }
        self.cancel(cancel);
    }

    /// Ends these runs; their results say so. One that is over already has said how it ended.
    fn cancel(&mut self, attempts: &[AttemptRef]) {
        for name in attempts {
            if let Some(index) = self.find(*name) {
                tracing::info!(task = %self.attempts[index].number(), "cancelled by the coordinator");
                self.attempts[index].cancel();
            }
        }
    }

    /// An attempt that is not ours any more: it ends, and nothing of it is told.
    pub(super) fn disown(&mut self, name: AttemptRef) {
        let Some(index) = self.find(name) else { return };
        let attempt = &mut self.attempts[index];
        tracing::warn!(task = %attempt.number(), attempt = name.attempt, "this attempt is not ours any more");
        if attempt.is_running() {
            attempt.recall(Then::Forget);
        } else {
            self.let_go(name, Closing::Stale);
        }
    }
}
