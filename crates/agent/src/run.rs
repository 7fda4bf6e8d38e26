//! One run from its plan to its result in the journal.
//!
//! It knows no coordinator: lines go to the journal, whoever sends them reads them there. The result is on
//! the disk before anyone hears of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use swarm_model::log::{LogStream, MAX_ENTRY_BYTES};
use swarm_model::task::{Outcome, RunRecord};
use swarm_model::time::SystemClock;
use swarm_model::worker::AttemptRef;
use swarm_model::{Clock as _, FailureClass, ToolName, UserId};
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::adapter::mark_prefix;
use swarm_tools::event::LogPiece;
use swarm_tools::{GuardBinary, Plan, RunRequest, ToolEvent, supervise};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::artifacts;
use crate::disk::Storage;
use crate::journal::{Journal, KeptSession, RunFolder, Tip};
use crate::ledger::{Entry, Ledger};
use crate::settings::ArtifactLimits;
use crate::worktree::{Checkout, GitError, Harvest, NoTree, Wanted};

/// Events between the tool and the journal. When it is full the tool waits.
const EVENTS: usize = 256;

/// A run that may begin.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) attempt: AttemptRef,
    pub(crate) plan: Plan,
    pub(crate) request: RunRequest,
    /// Where it goes on with the session of an interrupted attempt: how it begins if the tool has forgotten that.
    pub(crate) anew: Option<Anew>,
    /// Set where the task works on a repository.
    pub(crate) tree: Option<Tree>,
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

/// A run from the beginning.
#[derive(Debug)]
pub(crate) struct Anew {
    pub(crate) plan: Plan,
    pub(crate) request: RunRequest,
}

/// The working tree of a run.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) storage: Arc<Storage>,
    pub(crate) wanted: Wanted,
    /// Where an interrupted attempt has made it.
    pub(crate) made: Option<Checkout>,
}

impl Tree {
    /// Makes it, unless it is there. What goes on is told.
    async fn make(
        self,
        folder: &RunFolder,
        within: Option<Duration>,
        cancel: &CancellationToken,
        events: &mpsc::Sender<ToolEvent>,
    ) -> Result<(Arc<Storage>, Checkout), NoTree> {
        // Where nobody takes them at once, a remark is not worth waiting for.
        let say = |text| drop(events.try_send(ToolEvent::Notice(text)));
        let Self { storage, wanted, made } = self;
        if let Some(checkout) = made {
            say(format!("going on on branch {}, which began from {}", checkout.branch, checkout.base));
            return Ok((storage, checkout));
        }
        let work = folder.work();
        let made = storage.mirrors().check_out(&wanted, folder.path(), &work, within, cancel, &say);
        let checkout = Box::pin(made).await?;
        Ok((storage, checkout))
    }
}

impl Run {
    /// Carries it out. The result is in the journal when this returns, unless the run was recalled.
    pub(crate) async fn carry_out(mut self) -> AttemptResult {
        let (events, inbox) = mpsc::channel(EVENTS);
        let log = Log {
            folder: self.folder.clone(),
            of_session: (self.request.tool.clone(), self.request.dirs.state.clone()),
            session: None,
            tip: Arc::clone(&self.tip),
            grown: Arc::clone(&self.grown),
            cancel: self.cancel.clone(),
        };
        let log = tokio::task::spawn_blocking(move || log.write(inbox));
        let made = self.make_tree(&events).await;
        let (outcome, record) = match &made {
            Ok(_) => {
                Box::pin(supervised((self.plan, self.request), self.anew, &self.guard, events, &self.cancel)).await
            }
            Err(no_tree) => {
                drop(events);
                (outcome_of(no_tree), RunRecord { tool: Some(self.request.tool), ..RunRecord::default() })
            }
        };
        let log = log.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let (attempt, folder, limits) = (self.attempt, self.folder, self.artifacts);
        let (tip, grown, recalled, shared) = (self.tip, self.grown, self.recalled, self.shared);
        let cut_short = recalled.load(Ordering::Acquire) && matches!(outcome, Outcome::Cancelled { .. });
        let harvest = match made {
            Ok(Some((storage, checkout))) if !cut_short => {
                Some(Box::pin(harvest(&storage, &checkout, &folder, limits, attempt)).await)
            }
            _ => None,
        };
        let conclude = move || {
            let count = |cut_short, result: &AttemptResult| {
                if let Some(shared) = shared {
                    shared.count(result, cut_short);
                }
            };
            let mut result = AttemptResult { attempt, outcome, record };
            conclude(&mut result, log, &folder, harvest, limits, &tip);
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

    /// Makes the working tree where the task works on a repository. What that takes is part of the run's time.
    async fn make_tree(
        &mut self,
        events: &mpsc::Sender<ToolEvent>,
    ) -> Result<Option<(Arc<Storage>, Checkout)>, NoTree> {
        let Some(tree) = self.tree.take() else { return Ok(None) };
        let (began, within) = (Instant::now(), self.request.limits.wall_clock_ms.map(Duration::from_millis));
        let made = tree.make(&self.folder, within, &self.cancel, events).await?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        for request in [Some(&mut self.request), self.anew.as_mut().map(|anew| &mut anew.request)].into_iter().flatten()
        {
            request.limits.wall_clock_ms = request.limits.wall_clock_ms.map(|limit| limit.saturating_sub(took).max(1));
        }
        Ok(Some(made))
    }
}

/// Runs the tool; once more without the session of an interrupted attempt, if the tool does not know it any more.
async fn supervised(
    (plan, request): (Plan, RunRequest),
    anew: Option<Anew>,
    guard: &GuardBinary,
    events: mpsc::Sender<ToolEvent>,
    cancel: &CancellationToken,
) -> (Outcome, RunRecord) {
    let Some(Anew { plan: other_plan, request: other_request }) = anew else {
        return Box::pin(supervise(plan, &request, guard, events, cancel.clone())).await;
    };
    let ended = Box::pin(supervise(plan, &request, guard, events.clone(), cancel.clone())).await;
    if !is_forgotten(&ended.0, &ended.1) {
        return ended;
    }
    let remark = "the tool does not know the session of the interrupted attempt: it begins anew in the same folder";
    // Only a journal that cannot be written does not listen, and then the run is cancelled.
    drop(events.send(ToolEvent::Notice(remark.to_owned())).await);
    Box::pin(supervise(other_plan, &other_request, guard, events, cancel.clone())).await
}

/// Whether a run failed before its tool asked any model: as one does whose session is not there.
fn is_forgotten(outcome: &Outcome, record: &RunRecord) -> bool {
    let Outcome::Failed { class, partial, .. } = outcome else { return false };
    let used = [record.usage.input_tokens, record.usage.output_tokens].into_iter().flatten().sum::<u64>();
    let said_nothing = partial.as_ref().is_none_or(|partial| partial.text.is_empty());
    let is_of_start = matches!(class, FailureClass::ProcessFailed | FailureClass::Refused | FailureClass::EmptyOutput);
    is_of_start && said_nothing && used == 0 && record.tool_calls.unwrap_or(0) == 0
}

fn outcome_of(no_tree: &NoTree) -> Outcome {
    match no_tree {
        NoTree::Cancelled => Outcome::Cancelled { partial: None },
        NoTree::Failed { class, error } => {
            Outcome::Failed { class: *class, error: error.clone(), resets_at: None, partial: None }
        }
    }
}

async fn harvest(
    storage: &Storage,
    checkout: &Checkout,
    folder: &RunFolder,
    limits: ArtifactLimits,
    attempt: AttemptRef,
) -> Result<Harvest, GitError> {
    let mark = format!("{}git", mark_prefix(attempt.task_id, attempt.attempt));
    let max = limits.max_file_mb.saturating_mul(1024 * 1024);
    checkout.harvest(storage.mirrors(), &folder.work(), &folder.told(), max, &mark).await
}

/// What a run leaves behind joins its result. Blocks.
fn conclude(
    result: &mut AttemptResult,
    log: std::io::Result<Journal>,
    folder: &RunFolder,
    harvest: Option<Result<Harvest, GitError>>,
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
    let mut remarks = Vec::new();
    let found = match harvest {
        None => artifacts::collect(&folder.work(), limits),
        Some(Ok(mut harvest)) => {
            remarks.extend(std::mem::take(&mut harvest.remarks).into_iter().map(remark));
            let data = json!({
                "branch": harvest.branch,
                "n_commits": harvest.n_commits,
                "commits": harvest.commits.iter().map(|(id, title)| json!({ "id": id, "title": title })).collect::<Vec<_>>(),
                "n_changed": harvest.changed.len(),
                "n_removed": harvest.n_removed,
            });
            remarks.push(LogPiece { stream: LogStream::System, text: harvest.sentence(), data: Some(data) });
            artifacts::collect_changes(folder, &harvest, limits)
        }
        Some(Err(error)) => {
            remarks.push(remark(format!("what changed in the repository cannot be told: {error}")));
            Ok(artifacts::Found::default())
        }
    };
    match found {
        Ok(found) => {
            // Without a repository the folder was empty when the task began.
            result.record.files_changed = Some(u32::try_from(found.n_files).unwrap_or(u32::MAX));
            artifacts::attach(&mut result.outcome, found.artifacts);
            remarks.extend(found.remarks.into_iter().map(remark));
        }
        Err(error) => tracing::warn!(%error, "the files of the run cannot be read"),
    }
    if let Err(error) = journal.append(remarks, &SystemClock, tip) {
        tracing::warn!(%error, "remarks about files were not journalled");
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
    folder: RunFolder,
    /// Of which tool a session is, and where it keeps it.
    of_session: (ToolName, PathBuf),
    /// The one that is kept.
    session: Option<String>,
    tip: Arc<Tip>,
    grown: Arc<Notify>,
    cancel: CancellationToken,
}

impl Log {
    fn write(mut self, mut inbox: mpsc::Receiver<ToolEvent>) -> std::io::Result<Journal> {
        let written = self.write_all(&mut inbox);
        if written.is_err() {
            // Without its journal the run is worth nothing: it ends, and until then nobody holds it up.
            self.cancel.cancel();
            while inbox.blocking_recv().is_some() {}
        }
        written
    }

    fn write_all(&mut self, inbox: &mut mpsc::Receiver<ToolEvent>) -> std::io::Result<Journal> {
        let mut journal = Journal::create(&self.folder.journal())?;
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

    /// Keeps the tool's session: killed from here on, the task can go on with it.
    fn keep_session(&mut self, id: &str) {
        if self.session.as_deref() == Some(id) {
            return;
        }
        let (tool, state) = self.of_session.clone();
        if let Err(error) = self.folder.keep_session(&KeptSession { tool, state, session: id.to_owned() }) {
            tracing::warn!(%error, "the tool's session cannot be kept; an interrupted run would begin anew");
        }
        self.session = Some(id.to_owned());
    }

    /// Pieces of text that wait together become one line.
    fn take(&mut self, event: ToolEvent, pieces: &mut Vec<LogPiece>) {
        if let ToolEvent::Session { id, .. } = &event {
            self.keep_session(id);
        }
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
