//! One run from its plan to its result in the journal.
//!
//! It knows no coordinator: lines go to the journal, whoever sends them reads them there. The result is on
//! the disk before anyone hears of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use swarm_model::log::{LogStream, MAX_ENTRY_BYTES};
use swarm_model::task::{Outcome, RunRecord};
use swarm_model::time::SystemClock;
use swarm_model::worker::AttemptRef;
use swarm_model::{Clock as _, FailureClass, ToolName, UserId};
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::event::LogPiece;
use swarm_tools::{GuardBinary, Plan, RunRequest, ToolEvent, supervise};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::artifacts;
use crate::journal::{Journal, RunFolder, Tip};
use crate::ledger::{Entry, Ledger};
use crate::settings::ArtifactLimits;

/// Events between the tool and the journal. When it is full the tool waits.
const EVENTS: usize = 256;

/// A run that may begin.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) attempt: AttemptRef,
    pub(crate) plan: Plan,
    pub(crate) request: RunRequest,
    pub(crate) guard: GuardBinary,
    pub(crate) folder: RunFolder,
    pub(crate) tip: Arc<Tip>,
    /// Told whenever the tip moved.
    pub(crate) grown: Arc<Notify>,
    pub(crate) cancel: CancellationToken,
    /// Set before the run is ended on the agent's own account: then a run that was cut short has no result.
    pub(crate) recalled: Arc<AtomicBool>,
    pub(crate) artifacts: ArtifactLimits,
    /// Set where the run is of somebody who does not own the machine.
    pub(crate) shared: Option<Shared>,
}

/// Counts the run of somebody who does not own the machine.
#[derive(Debug)]
pub(crate) struct Shared {
    ledger: Arc<Ledger>,
    user_id: UserId,
    tool: ToolName,
}

impl Shared {
    pub(crate) fn of(assignment: &Assignment, ledger: &Arc<Ledger>) -> Option<Self> {
        let Assignment { user_id, tool, by_owner, .. } = assignment;
        (!by_owner).then(|| Self { ledger: Arc::clone(ledger), user_id: *user_id, tool: tool.clone() })
    }

    /// A run that was cut short on the agent's own account runs again elsewhere: only what it cost counts. Blocks.
    fn count(self, result: &AttemptResult, cut_short: bool) {
        let Self { ledger, user_id, tool } = self;
        let cost_microusd = result.record.usage.cost_microusd.unwrap_or(0);
        let entry = Entry { attempt: result.attempt, user_id, tool, runs: u32::from(!cut_short), cost_microusd };
        if let Err(error) = ledger.enter(entry, SystemClock.now()) {
            tracing::error!(%error, task = %result.attempt.task_id, "what this run used is counted only until the worker stops");
        }
    }
}

impl Run {
    /// Carries it out. The result is in the journal when this returns, unless the run was recalled.
    pub(crate) async fn carry_out(self) -> AttemptResult {
        let (events, inbox) = mpsc::channel(EVENTS);
        let log = Log {
            path: self.folder.journal(),
            tip: Arc::clone(&self.tip),
            grown: Arc::clone(&self.grown),
            cancel: self.cancel.clone(),
        };
        let log = tokio::task::spawn_blocking(move || log.write(inbox));
        let supervised = supervise(self.plan, &self.request, &self.guard, events, self.cancel.clone());
        let (outcome, record) = Box::pin(supervised).await;
        let log = log.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let (attempt, folder, work, limits) = (self.attempt, self.folder, self.request.dirs.work, self.artifacts);
        let (tip, grown, recalled, shared) = (self.tip, self.grown, self.recalled, self.shared);
        let conclude = move || {
            let count = |cut_short, result: &AttemptResult| {
                if let Some(shared) = shared {
                    shared.count(result, cut_short);
                }
            };
            let mut result = AttemptResult { attempt, outcome, record };
            conclude(&mut result, log, &work, limits, &tip);
            grown.notify_one();
            let cut_short = recalled.load(Ordering::Acquire) && matches!(result.outcome, Outcome::Cancelled { .. });
            if cut_short {
                count(true, &result);
                return result;
            }
            if let Err(error) = folder.write_result(&result) {
                // Better told than kept back: killed before it is told, the run is lost and done again.
                tracing::error!(%error, task = %attempt.task_id, "the result cannot be journalled and is sent as it is");
            }
            count(false, &result);
            result
        };
        // Only a panic could keep it from ending.
        tokio::task::spawn_blocking(conclude).await.unwrap_or_else(|_| crashed(attempt))
    }
}

/// What a run leaves behind joins its result. Blocks.
fn conclude(
    result: &mut AttemptResult,
    log: std::io::Result<Journal>,
    work: &std::path::Path,
    limits: ArtifactLimits,
    tip: &Tip,
) {
    let mut journal = match log {
        Ok(journal) => journal,
        Err(error) => {
            let ended = Outcome::Cancelled { partial: None };
            let partial = match std::mem::replace(&mut result.outcome, ended) {
                Outcome::Completed { result } => Some(result),
                Outcome::Failed { partial, .. } | Outcome::Cancelled { partial } => partial,
            };
            result.outcome = failed(format!("the machine could not keep the run's output: {error}"), partial);
            return;
        }
    };
    match artifacts::collect(work, limits) {
        Ok(found) => {
            // The folder was empty when the run began.
            result.record.files_changed = Some(u32::try_from(found.n_files).unwrap_or(u32::MAX));
            artifacts::attach(&mut result.outcome, found.artifacts);
            let remarks = found.remarks.into_iter().map(remark);
            if let Err(error) = journal.append(remarks, &SystemClock, tip) {
                tracing::warn!(%error, "remarks about files were not journalled");
            }
        }
        Err(error) => tracing::warn!(%error, "the files of the run cannot be read"),
    }
}

/// The result of a run during which the agent's own code failed.
pub(crate) fn crashed(attempt: AttemptRef) -> AttemptResult {
    tracing::error!(task = %attempt.task_id, "a run ended in a fault of the worker");
    let outcome = failed("a fault of the worker ended the run; its log has more".to_owned(), None);
    AttemptResult { attempt, outcome, record: RunRecord::default() }
}

fn failed(error: String, partial: Option<swarm_model::task::TaskResult>) -> Outcome {
    Outcome::Failed { class: FailureClass::ProcessFailed, error, resets_at: None, partial }
}

fn remark(text: String) -> LogPiece {
    LogPiece { stream: LogStream::System, text, data: None }
}

/// Takes the events of a run into its journal, on a thread where writing may block.
struct Log {
    path: PathBuf,
    tip: Arc<Tip>,
    grown: Arc<Notify>,
    cancel: CancellationToken,
}

impl Log {
    fn write(self, mut inbox: mpsc::Receiver<ToolEvent>) -> std::io::Result<Journal> {
        let written = self.write_all(&mut inbox);
        if written.is_err() {
            // Without its journal the run is worth nothing: it ends, and until then nobody holds it up.
            self.cancel.cancel();
            while inbox.blocking_recv().is_some() {}
        }
        written
    }

    fn write_all(&self, inbox: &mut mpsc::Receiver<ToolEvent>) -> std::io::Result<Journal> {
        let mut journal = Journal::create(&self.path)?;
        let mut pieces = Vec::new();
        while let Some(event) = inbox.blocking_recv() {
            self.take(event, &mut pieces);
            for _more in 1..EVENTS {
                let Ok(event) = inbox.try_recv() else { break };
                self.take(event, &mut pieces);
            }
            journal.append(pieces.drain(..), &SystemClock, &self.tip)?;
            self.grown.notify_one();
        }
        Ok(journal)
    }

    /// Pieces of text that wait together become one line.
    fn take(&self, event: ToolEvent, pieces: &mut Vec<LogPiece>) {
        match (event, pieces.last_mut()) {
            (ToolEvent::Progress(percent), _) => self.tip.set_progress(percent),
            (ToolEvent::Text(more), Some(last)) if joins(last, LogStream::Text, &more) => last.text.push_str(&more),
            (ToolEvent::Thinking(more), Some(last)) if joins(last, LogStream::Thinking, &more) => {
                last.text.push_str(&more);
            }
            (event, _) => pieces.extend(event.into_log()),
        }
    }
}

fn joins(last: &LogPiece, stream: LogStream, more: &str) -> bool {
    last.stream == stream && last.data.is_none() && last.text.len() + more.len() <= MAX_ENTRY_BYTES
}
