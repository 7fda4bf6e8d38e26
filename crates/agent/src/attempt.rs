//! One attempt in hand: how far it is, and what of it the coordinator has.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use swarm_model::log::LogLine;
use swarm_model::worker::AttemptRef;
use swarm_model::{TaskNumber, Timestamp};
use swarm_proto::worker::{Assignment, AttemptResult};
use tokio_util::sync::CancellationToken;

use crate::journal::{LogReader, MAX_BATCH_BYTES, Place, Recovered, RunFolder, Tip};

/// Batches of one attempt that may be on their way at once. A coordinator that is slow to commit holds the
/// sending up, never the run: the journal takes what comes.
const WINDOW: usize = 8;

/// An attempt that this agent answers for.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) assignment: Assignment,
    pub(crate) folder: RunFolder,
    pub(crate) tip: Arc<Tip>,
    pub(crate) log: LogWindow,
    pub(crate) phase: Phase,
    /// The coordinator must still hear, or hear again, that work began.
    pub(crate) accept_due: bool,
    /// The progress that was last told.
    pub(crate) told_progress: Option<u8>,
    pub(crate) since: Timestamp,
}

/// How far an attempt is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It runs.
    Running {
        /// Ends it.
        cancel: CancellationToken,
        /// Set before it is ended on our own account: then it needs no result.
        recalled: Arc<AtomicBool>,
        /// What becomes of it when it ends.
        then: Then,
    },
    /// It is over; its files are on their way to the coordinator.
    Uploading {
        /// How it ended.
        result: Box<AttemptResult>,
        /// Ends the upload.
        cancel: CancellationToken,
    },
    /// It is over, and only the acknowledgement is missing.
    Finished {
        /// How it ended.
        result: Box<AttemptResult>,
        /// Whether the result was sent on this connection.
        sent: bool,
    },
    /// It was cut short because the agent stops; once its lines are told, it goes back to its queue.
    HandingBack,
}

/// What becomes of a run when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Its result is told.
    Report,
    /// Nothing: it is not ours any more.
    Forget,
    /// If it was cut short, it goes back to its queue.
    HandBack,
}

impl Attempt {
    /// An attempt whose run begins.
    pub(crate) fn begin(assignment: Assignment, folder: RunFolder, since: Timestamp) -> Self {
        let (cancel, recalled) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        Self {
            log: LogWindow::new(LogReader::new(folder.journal())),
            assignment,
            folder,
            tip: Arc::new(Tip::default()),
            phase: Phase::Running { cancel, recalled, then: Then::Report },
            accept_due: true,
            told_progress: None,
            since,
        }
    }

    /// An attempt that an earlier process finished.
    pub(crate) fn recovered(recovered: Recovered, since: Timestamp) -> Self {
        let Recovered { folder, assignment, result, lines } = recovered;
        Self {
            log: LogWindow::new(LogReader::new(folder.journal())),
            assignment,
            folder,
            tip: Arc::new(Tip::at(lines)),
            phase: Phase::Finished { result: Box::new(result), sent: false },
            accept_due: false,
            told_progress: None,
            since,
        }
    }

    pub(crate) fn name(&self) -> AttemptRef {
        self.assignment.attempt_ref()
    }

    pub(crate) fn number(&self) -> TaskNumber {
        self.assignment.number
    }

    /// Whether it still holds a slot.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// Whether the coordinator may hear of it. What is not ours any more, or goes back, is named no more.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self.phase, Phase::Running { then: Then::Forget, .. })
    }

    /// Whether lines wait that may be sent now.
    pub(crate) fn has_lines(&self) -> bool {
        self.is_ours() && self.log.has_more(&self.tip)
    }

    /// The next lines to send.
    pub(crate) fn next_lines(&mut self) -> io::Result<Vec<LogLine>> {
        self.log.next(&self.tip)
    }

    /// Whether the end can be told next: every line that was sent is acknowledged. A line behind a commit that
    /// failed would otherwise come after the end, and be refused.
    pub(crate) fn end_is_due(&self) -> bool {
        matches!(self.phase, Phase::Finished { sent: false, .. } | Phase::HandingBack) && self.log.is_clear()
    }

    /// Whether no line is left to send.
    pub(crate) fn all_lines_sent(&self) -> bool {
        self.log.is_at(&self.tip)
    }

    /// Whether enough lines wait for a batch of their own.
    pub(crate) fn has_full_batch(&self) -> bool {
        self.has_lines() && self.log.has_full_batch(&self.tip)
    }

    /// Whether the coordinator owes an acknowledgement.
    pub(crate) fn awaits(&self) -> bool {
        !self.log.is_clear() || matches!(self.phase, Phase::Finished { sent: true, .. })
    }

    /// Ends a run because the coordinator asked for it. What is over stays as it is.
    pub(crate) fn cancel(&self) {
        if let Phase::Running { cancel, .. } = &self.phase {
            cancel.cancel();
        }
    }

    /// Ends a run on our own account, and says what becomes of it. Once it is to be forgotten that stands.
    pub(crate) fn recall(&mut self, wish: Then) {
        if let Phase::Running { cancel, recalled, then } = &mut self.phase {
            if *then != Then::Forget {
                *then = wish;
            }
            recalled.store(true, Ordering::Release);
            cancel.cancel();
        }
    }

    /// A new connection: what was on its way is not, and the coordinator says up to where it has the lines.
    pub(crate) fn reconnect(&mut self, received: u64) -> io::Result<()> {
        self.accept_due = self.is_running();
        self.told_progress = None;
        if let Phase::Finished { sent, .. } = &mut self.phase {
            *sent = false;
        }
        self.log.restart(received.min(self.tip.lines()))
    }
}

/// The lines of an attempt between its journal and the coordinator.
#[derive(Debug)]
pub(crate) struct LogWindow {
    reader: LogReader,
    /// Up to here the coordinator has them.
    acknowledged: Place,
    /// The ends of the batches on their way, oldest first.
    on_the_way: VecDeque<Place>,
}

impl LogWindow {
    fn new(reader: LogReader) -> Self {
        Self { reader, acknowledged: Place::START, on_the_way: VecDeque::new() }
    }

    fn has_more(&self, tip: &Tip) -> bool {
        self.on_the_way.len() < WINDOW && self.reader.place().after < tip.lines()
    }

    fn is_at(&self, tip: &Tip) -> bool {
        self.reader.place().after >= tip.lines()
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_clear(&self) -> bool {
        self.on_the_way.is_empty()
    }

    fn has_full_batch(&self, tip: &Tip) -> bool {
        self.reader.place().bytes_to(tip) >= MAX_BATCH_BYTES as u64
    }

    /// Lines that cannot be read back are passed over: the result behind them must not wait for ever.
    fn next(&mut self, tip: &Tip) -> io::Result<Vec<LogLine>> {
        let last = tip.lines();
        let lines = self.reader.read(last).inspect_err(|_| self.reader.go_to(Place::lost(last)))?;
        if !lines.is_empty() {
            self.on_the_way.push_back(self.reader.place());
        }
        Ok(lines)
    }

    /// The coordinator has everything up to `received`. Where it passed over a batch, that is sent again.
    pub(crate) fn acknowledge(&mut self, received: u64) -> io::Result<()> {
        let n_sent = self.on_the_way.len();
        while let Some(end) = self.on_the_way.front().filter(|end| end.after <= received) {
            self.acknowledged = *end;
            self.on_the_way.pop_front();
        }
        // Answers come in order, and each covers the oldest batch on its way unless there was a gap before it.
        let is_gap = n_sent > 0 && self.on_the_way.len() == n_sent;
        if is_gap { self.restart(received) } else { Ok(()) }
    }

    fn restart(&mut self, received: u64) -> io::Result<()> {
        self.on_the_way.push_front(self.acknowledged);
        let known = self.on_the_way.iter().find(|end| end.after == received).copied();
        self.on_the_way.clear();
        match known {
            Some(place) => self.reader.go_to(place),
            None => self.reader.find(received)?,
        }
        self.acknowledged = self.reader.place();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::log::LogStream;
    use swarm_model::time::SystemClock;
    use swarm_tools::event::LogPiece;

    use super::*;
    use crate::journal::Journal;

    /// A window over a journal in which every line is a batch of its own.
    fn window(n_lines: u64) -> (tempfile::TempDir, Tip, LogWindow) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let tip = Tip::default();
        let mut journal = Journal::create(&path).unwrap();
        let text = "x".repeat(MAX_BATCH_BYTES / 2);
        for _line in 0..n_lines {
            let piece = LogPiece { stream: LogStream::Stdout, text: text.clone(), data: None };
            journal.append([piece], &SystemClock, &tip).unwrap();
        }
        (folder, tip, LogWindow::new(LogReader::new(path)))
    }

    fn numbers(window: &mut LogWindow, tip: &Tip) -> Vec<u64> {
        window.next(tip).unwrap().into_iter().map(|line| line.n).collect()
    }

    #[test]
    fn the_window_closes_until_something_is_acknowledged() {
        let (_folder, tip, mut window) = window(20);
        let mut n_sent = 0;
        while window.has_more(&tip) {
            n_sent += numbers(&mut window, &tip).len();
        }
        assert_eq!(n_sent, WINDOW);
        window.acknowledge(3).unwrap();
        assert_eq!(numbers(&mut window, &tip), [WINDOW as u64 + 1]);
    }

    #[test]
    fn a_batch_that_was_passed_over_comes_again() {
        let (_folder, tip, mut window) = window(4);
        for expected in 1..=3 {
            assert_eq!(numbers(&mut window, &tip), [expected]);
        }
        window.acknowledge(1).unwrap();
        // The answer to the third batch says that the second one is missing.
        window.acknowledge(1).unwrap();
        for expected in 2..=4 {
            assert_eq!(numbers(&mut window, &tip), [expected]);
        }
        for received in 2..=4 {
            window.acknowledge(received).unwrap();
        }
        assert!(window.is_clear() && window.is_at(&tip));
        // Said again, it changes nothing.
        window.acknowledge(4).unwrap();
        assert!(!window.has_more(&tip));
    }

    #[test]
    fn a_coordinator_from_a_backup_gets_older_lines_again() {
        let (_folder, tip, mut window) = window(3);
        for _batch in 0..3 {
            numbers(&mut window, &tip);
        }
        window.acknowledge(3).unwrap();
        window.restart(1).unwrap();
        assert_eq!(numbers(&mut window, &tip), [2]);
    }
}
