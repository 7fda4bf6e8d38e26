//! The loop: take up, decide, commit, tell.
//!
//! While one commit is on its way to the disk the board goes on with what comes in, and the next commit takes all of
//! it. What a commit holds is told when that commit stands, never earlier: answers and effects are taken off the
//! board together with the changes, as they were at that moment.

mod apply;
mod budgets;
mod tell;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use swarm_engine::{Board, Counters};
use swarm_model::change::{Changes, TaskHead};
use swarm_model::{SessionId, Timestamp, UserId, WorkerId, crash};
use swarm_proto::worker::{Assignment, ToWorker};
use swarm_store::{StoreError, TaskStore};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::{Deps, DispatchError, LiveWorkers, SubmittedTask};
use tell::{Answer, Turn};

/// The most work that one commit takes on.
const MAX_BATCH: usize = 4096;
/// How long the loop sleeps at the most; a bound for clocks that are moved by hand.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// How long after a failed read of the store it is tried again: the first time, and at the most.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// A worker's way back: the frames of its socket.
struct Outbox {
    session: SessionId,
    frames: mpsc::Sender<ToWorker>,
}

/// A person's idempotency key.
type Key = (UserId, String);

pub(super) struct Drive {
    deps: Deps,
    live: LiveWorkers,
    board: Board,
    outboxes: HashMap<WorkerId, Outbox>,
    pulls: HashMap<WorkerId, oneshot::Sender<Assignment>>,
    /// Tasks by idempotency key that the store may not know yet: of the next commit, and of the one under way.
    fresh: [HashMap<Key, Arc<TaskHead>>; 2],
    /// Answers that wait for the next commit.
    answers: Vec<Answer>,
    /// Whether a result came too late since budgets were counted last.
    late_came: bool,
    /// The generation of budgets that readers see.
    shown_budgets: u64,
    /// How much work the next commit has.
    weight: usize,
    /// A command that waits for the end of the commit under way.
    held: Option<Command>,
    /// The store could not even be read after a failed commit: the board is nothing to decide on.
    outage: Option<Outage>,
}

/// A store that does not answer.
struct Outage {
    error: DispatchError,
    /// When it is tried again.
    retry_at: Instant,
    /// How long after that, if it still does not answer.
    pause: Duration,
}

/// A commit under way, and what is told when it stands.
struct UnderWay {
    turn: Turn,
    commit: JoinHandle<Result<Changes, StoreError>>,
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
            fresh: Default::default(),
            answers: Vec::new(),
            late_came: false,
            shown_budgets: 0,
            weight: 0,
            held: None,
            outage: None,
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
        // First, because a task that is taken up may have to wait for one.
        board.set_budgets(budgets::standing(&*self.deps.store, now).await?, now);
        for task in live {
            board.restore(task, now);
        }
        board.restore_limits(self.deps.store.account_limits().await?, now);
        board.restore_paused(self.live.is_swarm_paused());
        self.live.set_limits(board.limits());
        self.board = board;
        self.show_budgets();
        Ok(())
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        let mut under_way: Option<UnderWay> = None;
        loop {
            let has_room = self.held.is_none() && self.weight < MAX_BATCH;
            tokio::select! {
                biased;
                committed = ended(&mut under_way) => {
                    let Some(UnderWay { turn, .. }) = under_way.take() else { continue };
                    under_way = self.go_on(turn, committed).await;
                    continue;
                }
                command = inbox.recv(), if has_room => match command {
                    Some(command) => self.take_up(command, &mut inbox, under_way.is_some()).await,
                    None => break,
                },
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(self.until_due()), if under_way.is_none() => {}
            }
            if self.outage.as_ref().is_some_and(|outage| Instant::now() >= outage.retry_at) {
                self.mend().await;
            }
            if under_way.is_none() && self.outage.is_none() {
                self.recount_budgets().await;
                under_way = self.begin();
            }
        }
        // What was taken up is still written.
        if let Some(UnderWay { turn, commit }) = under_way {
            self.end(turn, outcome(commit.await)).await;
        }
        if self.outage.is_none()
            && let Some(UnderWay { turn, commit }) = self.begin()
        {
            self.end(turn, outcome(commit.await)).await;
        }
        // Callers whose command was not taken up learn it from the closed channel.
    }

    fn until_due(&self) -> Duration {
        if let Some(outage) = &self.outage {
            return outage.retry_at.saturating_duration_since(Instant::now());
        }
        let now = self.deps.clock.now();
        self.board.next_deadline().map_or(LONGEST_SLEEP, |due| due.since(now).min(LONGEST_SLEEP))
    }

    /// Applies a command and those behind it, as many as the next commit has room for.
    async fn take_up(&mut self, first: Command, inbox: &mut mpsc::Receiver<Command>, is_committing: bool) {
        let mut commands = Vec::new();
        let mut next = Some(first);
        while let Some(command) = next {
            if is_committing && !command.may_overtake() {
                self.held = Some(command);
                break;
            }
            self.weight += command.weight();
            commands.push(command);
            next = if self.weight < MAX_BATCH { inbox.try_recv().ok() } else { None };
        }
        self.apply_all(commands).await;
    }

    async fn apply_all(&mut self, commands: Vec<Command>) {
        if let Some(outage) = &self.outage {
            for command in commands {
                command.refuse(&outage.error);
            }
            self.weight = 0;
            return;
        }
        let now = self.deps.clock.now();
        if commands.iter().any(|command| matches!(command, Command::Budgets { .. }))
            && let Err(error) = self.take_up_budgets(now).await
        {
            let error = DispatchError::Store(Arc::new(error));
            for command in commands {
                command.refuse(&error);
            }
            self.weight = 0;
            return;
        }
        match known_keys(&*self.deps.store, &commands).await {
            Ok(known) => {
                for command in commands {
                    self.apply(command, &known, now);
                }
            }
            Err(error) => {
                let error = DispatchError::Store(Arc::new(error));
                for command in commands {
                    match command {
                        // Whether they were submitted before could not be read.
                        Command::Submit { reply, .. } => self.answer(reply, Err(error.clone())),
                        command => self.apply(command, &HashMap::new(), now),
                    }
                }
            }
        }
    }

    /// Reads the budgets anew. No commit is under way, so that the sums in the store and what gathered on the board since
    /// are all that was used.
    async fn take_up_budgets(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let standing = budgets::standing(&*self.deps.store, now).await?;
        self.board.set_budgets(standing, now);
        self.show_budgets();
        Ok(())
    }

    /// After results that came too late: what those runs used is known to the store alone. No commit is under way.
    async fn recount_budgets(&mut self) {
        if !std::mem::take(&mut self.late_came) || self.board.budgets().is_empty() {
            return;
        }
        if let Err(error) = self.take_up_budgets(self.deps.clock.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "budgets are not counted anew this time");
        }
    }

    /// Lets readers see the budgets as they stand on the board.
    fn show_budgets(&mut self) {
        self.live.set_budgets(self.board.budgets());
        self.shown_budgets = self.board.budgets_generation();
    }

    /// Takes what has gathered, and begins to write it. What is nothing to write is told at once.
    fn begin(&mut self) -> Option<UnderWay> {
        let turn = self.take_turn();
        if turn.changes.is_empty() {
            self.tell(turn);
            return None;
        }
        Some(self.start(turn))
    }

    fn start(&self, mut turn: Turn) -> UnderWay {
        let (store, changes) = (Arc::clone(&self.deps.store), std::mem::take(&mut turn.changes));
        UnderWay { turn, commit: tokio::spawn(commit(store, changes)) }
    }

    /// After a commit: begins the next one first, so that the store need not wait while this one is told.
    async fn go_on(&mut self, turn: Turn, committed: Result<Changes, StoreError>) -> Option<UnderWay> {
        self.fresh[1].clear();
        if committed.is_err() || self.held.is_some() {
            self.end(turn, committed).await;
            if let Some(held) = self.held.take() {
                self.weight += held.weight();
                self.apply_all(vec![held]).await;
            }
            return if self.outage.is_none() { self.begin() } else { None };
        }
        let next = self.take_turn();
        let under_way = if next.changes.is_empty() { Err(next) } else { Ok(self.start(next)) };
        self.end(turn, committed).await;
        match under_way {
            Ok(under_way) => Some(under_way),
            Err(nothing_to_write) => {
                self.tell(nothing_to_write);
                None
            }
        }
    }

    /// Tells what a commit held, or that it failed.
    async fn end(&mut self, mut turn: Turn, committed: Result<Changes, StoreError>) {
        match committed {
            Ok(changes) => {
                turn.changes = changes;
                self.tell(turn);
            }
            Err(error) => self.roll_back(turn, error).await,
        }
    }

    /// Nothing of this commit happened, nor of what has gathered since: everyone is told so, and the board is what
    /// the store holds.
    async fn roll_back(&mut self, turn: Turn, error: StoreError) {
        tracing::error!(error = &error as &dyn std::error::Error, "a commit failed; nothing of it was told");
        metrics::counter!("garageswarm_commit_failures_total").increment(1);
        let error = DispatchError::Store(Arc::new(error));
        for answer in turn.answers.into_iter().chain(self.answers.drain(..)) {
            answer.fail(&error);
        }
        self.weight = 0;
        self.fresh = Default::default();
        // Workers learn from the closed socket that their report did not count, and send it again.
        self.outboxes.clear();
        self.pulls.clear();
        self.mend().await;
    }

    /// Makes the board anew; where the store does not answer, everybody is told so until it does.
    async fn mend(&mut self) {
        let outage = self.outage.take();
        if let Err(error) = self.rebuild().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read; trying again");
            let pause = outage.map_or(FIRST_RETRY, |outage| outage.pause);
            self.outage = Some(Outage {
                error: DispatchError::Store(Arc::new(error)),
                retry_at: Instant::now() + pause,
                pause: (pause * 2).min(LAST_RETRY),
            });
        }
    }
}

/// The end of the commit under way; never, where there is none.
async fn ended(under_way: &mut Option<UnderWay>) -> Result<Changes, StoreError> {
    match under_way {
        Some(UnderWay { commit, .. }) => outcome(commit.await),
        None => std::future::pending().await,
    }
}

/// The store does not panic; if it does, what it wrote is as unknown as after any fault.
fn outcome(joined: Result<Result<Changes, StoreError>, JoinError>) -> Result<Changes, StoreError> {
    joined.unwrap_or_else(|panic| Err(StoreError::Encode(panic.into())))
}

async fn commit(store: Arc<dyn TaskStore>, changes: Changes) -> Result<Changes, StoreError> {
    crash::point("commit.before");
    let started = Instant::now();
    store.commit(&changes).await?;
    metrics::histogram!("garageswarm_commit_seconds").record(started.elapsed().as_secs_f64());
    crash::point("commit.after");
    Ok(changes)
}

/// Tasks that were submitted before under the keys of these commands.
async fn known_keys(store: &dyn TaskStore, commands: &[Command]) -> Result<HashMap<Key, SubmittedTask>, StoreError> {
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
