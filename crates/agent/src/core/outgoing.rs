//! What the agent says, and when: the next frame, made when the link has room for one.

use std::time::Duration;

use swarm_model::worker::{LeaseTerms, RefusalReason};
use swarm_proto::worker::{AttemptResult, Hello, LogBatch, PROTOCOL, Progress, Refusal, Report, ToCoordinator};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::Instant;

use super::Core;
use crate::attempt::{Attempt, Phase};
use crate::journal::{Closing, MAX_BATCH_BYTES};

/// Lines wait this long for company, so that a chatty tool costs a commit per moment and not per word.
const FLUSH: Duration = Duration::from_millis(30);
/// A report takes no further attempt's lines beyond this.
const REPORT_BYTES: usize = 4 * MAX_BATCH_BYTES;

/// The conversation with the coordinator.
#[derive(Debug)]
pub(super) enum Link {
    /// There is none.
    Down,
    /// We say hello, or wait for the answer.
    Greeting { outbox: mpsc::Sender<ToCoordinator>, said: bool, at: Instant },
    /// We know each other.
    Up(Box<Session>),
}

/// A conversation after its greeting.
#[derive(Debug)]
pub(super) struct Session {
    outbox: mpsc::Sender<ToCoordinator>,
    terms: LeaseTerms,
    heartbeat_at: Instant,
    flushed_at: Instant,
    /// Since when an acknowledgement is owed.
    awaits_since: Option<Instant>,
    /// Since the last heartbeat: whether the coordinator spoke. Where it did not, it is asked to.
    heard: bool,
    probe_due: bool,
    drain_due: bool,
}

/// How long the answer to hello may take.
const GREETING: Duration = Duration::from_secs(20);

impl Link {
    pub(super) fn opened(outbox: mpsc::Sender<ToCoordinator>) -> Self {
        Self::Greeting { outbox, said: false, at: Instant::now() }
    }

    /// The coordinator answered hello.
    pub(super) fn welcomed(&mut self, terms: LeaseTerms, drains: bool) {
        let Self::Greeting { outbox, .. } = self else { return };
        let now = Instant::now();
        *self = Self::Up(Box::new(Session {
            outbox: outbox.clone(),
            terms,
            heartbeat_at: now + Duration::from_millis(terms.heartbeat_ms),
            flushed_at: now,
            awaits_since: None,
            heard: true,
            probe_due: false,
            drain_due: drains,
        }));
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Up(session) => Some(session),
            Self::Down | Self::Greeting { .. } => None,
        }
    }

    pub(super) fn drain_begun(&mut self) {
        if let Some(session) = self.session() {
            session.drain_due = true;
        }
    }

    pub(super) fn owes_drain(&self) -> bool {
        matches!(self, Self::Up(session) if session.drain_due)
    }

    /// The coordinator spoke; `answer` is an acknowledgement, after which `owes` says whether it owes another.
    pub(super) fn heard(&mut self, answer: bool, owes: bool) {
        if let Some(session) = self.session() {
            session.heard = true;
            if answer {
                session.awaits_since = owes.then(Instant::now);
            }
        }
    }

    /// Whether the other side has been silent for so long that the connection must be dead.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.silent_at().is_some_and(|at| now >= at)
    }

    fn silent_at(&self) -> Option<Instant> {
        match self {
            Self::Down => None,
            Self::Greeting { at, .. } => Some(*at + GREETING),
            Self::Up(session) => {
                let lease = Duration::from_millis(session.terms.lease_ms);
                session.awaits_since.map(|since| since + lease)
            }
        }
    }

    /// When something will be due by the clock. What is due already waits for room and not for time.
    pub(super) fn next_due(&self, now: Instant, words_wait: bool) -> Option<Instant> {
        let (heartbeat, flush) = match self {
            Self::Up(session) => (Some(session.heartbeat_at), words_wait.then_some(session.flushed_at + FLUSH)),
            Self::Down | Self::Greeting { .. } => (None, None),
        };
        let to_say = [heartbeat, flush].into_iter().flatten().filter(|at| *at > now);
        to_say.chain(self.silent_at()).min()
    }

    /// Room for a frame; never where none is wanted.
    pub(super) fn room(
        &self,
        wanted: bool,
    ) -> impl Future<Output = Result<OwnedPermit<ToCoordinator>, mpsc::error::SendError<()>>> + use<> {
        let outbox = match self {
            Self::Down => None,
            Self::Greeting { outbox, .. } => Some(outbox.clone()),
            Self::Up(session) => Some(session.outbox.clone()),
        };
        async move {
            match outbox.filter(|_| wanted) {
                Some(outbox) => outbox.reserve_owned().await,
                None => std::future::pending().await,
            }
        }
    }
}

impl Core {
    /// Whether there is something to say now.
    pub(super) fn wants_to_send(&self, now: Instant) -> bool {
        match &self.link {
            Link::Down => false,
            Link::Greeting { said, .. } => !said,
            Link::Up(session) => {
                session.drain_due
                    || session.probe_due
                    || self.told_paused != self.settings.paused
                    || !self.told_capabilities
                    || now >= session.heartbeat_at
                    || self.report_is_due(session, now)
            }
        }
    }

    fn report_is_due(&self, session: &Session, now: Instant) -> bool {
        let flush = now >= session.flushed_at + FLUSH;
        !self.refusals.is_empty()
            || self.attempts.iter().any(|attempt| {
                attempt.accept_due
                    || attempt.has_full_batch()
                    || (attempt.has_lines() && (flush || !attempt.is_running()))
                    || (attempt.end_is_due() && attempt.all_lines_sent())
                    || (flush && attempt.is_running() && attempt.tip.progress() != attempt.told_progress)
            })
    }

    /// The next thing to say, the most urgent first.
    pub(super) fn next_frame(&mut self) -> Option<ToCoordinator> {
        if let Link::Greeting { said: said @ false, .. } = &mut self.link {
            *said = true;
            return Some(ToCoordinator::Hello(self.hello()));
        }
        let Link::Up(session) = &mut self.link else { return None };
        let now = Instant::now();
        if self.told_paused != self.settings.paused {
            self.told_paused = self.settings.paused;
            return Some(if self.told_paused { ToCoordinator::Pause } else { ToCoordinator::Resume });
        }
        if std::mem::take(&mut session.drain_due) {
            return Some(ToCoordinator::Drain);
        }
        if !std::mem::replace(&mut self.told_capabilities, true) {
            return Some(ToCoordinator::Capabilities(self.capabilities.clone()));
        }
        if now >= session.heartbeat_at {
            session.heartbeat_at = now + Duration::from_millis(session.terms.heartbeat_ms);
            session.probe_due = !std::mem::replace(&mut session.heard, false);
            let running = self.attempts.iter().filter(|attempt| attempt.is_ours()).map(Attempt::name).collect();
            return Some(ToCoordinator::Heartbeat { load: self.machine.load(), running });
        }
        let report = self.report();
        let Link::Up(session) = &mut self.link else { return None };
        session.flushed_at = now;
        // Every report is answered, also one that says nothing: that is how a dead path is told from a quiet one.
        if !std::mem::take(&mut session.probe_due) && report == Report::default() {
            return None;
        }
        session.awaits_since.get_or_insert(now);
        Some(ToCoordinator::Report(report))
    }

    fn hello(&mut self) -> Hello {
        (self.told_paused, self.told_capabilities) = (self.settings.paused, true);
        Hello {
            protocol: PROTOCOL,
            boot_id: self.boot_id,
            capabilities: self.capabilities.clone(),
            attempts: self.attempts.iter().filter(|attempt| attempt.is_ours()).map(Attempt::name).collect(),
            paused_by_owner: self.settings.paused,
        }
    }

    fn report(&mut self) -> Report {
        let mut report = Report { refused: std::mem::take(&mut self.refusals), ..Report::default() };
        let mut n_bytes = 0;
        let mut handed_back = Vec::new();
        for attempt in &mut self.attempts {
            let name = attempt.name();
            if std::mem::take(&mut attempt.accept_due) {
                report.accepted.push(name);
            }
            let progress = attempt.tip.progress();
            if let Some(percent) = progress.filter(|_| attempt.is_running() && progress != attempt.told_progress) {
                attempt.told_progress = progress;
                report.progress.push(Progress { attempt: name, progress: percent });
            }
            let end_is_due = attempt.end_is_due();
            if attempt.has_lines() && n_bytes < REPORT_BYTES {
                match attempt.next_lines() {
                    Ok(lines) => {
                        n_bytes += lines.iter().map(|line| line.text.len()).sum::<usize>();
                        report.logs.push(LogBatch { attempt: name, lines });
                    }
                    Err(error) => tracing::error!(%error, task = %name.task_id, "lines of a journal are lost"),
                }
            }
            // The last lines and the end are one commit, and the lines count first.
            if end_is_due && attempt.all_lines_sent() && n_bytes < REPORT_BYTES {
                let is_clear = !report.logs.iter().any(|batch| batch.attempt == name);
                match &mut attempt.phase {
                    Phase::Finished { result, sent } => {
                        *sent = true;
                        n_bytes += size_of(result);
                        report.results.push(AttemptResult::clone(result));
                    }
                    Phase::HandingBack if is_clear => handed_back.push(name),
                    Phase::HandingBack | Phase::Running { .. } | Phase::Uploading { .. } => {}
                }
            }
        }
        for attempt in handed_back {
            report.refused.push(Refusal { attempt, reason: RefusalReason::Draining });
            self.let_go(attempt, Closing::HandedBack);
        }
        report
    }
}

/// About how much room a result takes in a frame.
fn size_of(result: &AttemptResult) -> usize {
    match &result.outcome {
        swarm_model::task::Outcome::Completed { result } => result.text.len(),
        swarm_model::task::Outcome::Failed { partial, .. } | swarm_model::task::Outcome::Cancelled { partial } => {
            partial.as_ref().map_or(0, |partial| partial.text.len())
        }
    }
}
