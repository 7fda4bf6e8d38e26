//! The dispatcher: the one task that owns the [`swarm_engine::Board`].
//!
//! It drains what was asked for, lets the board decide, writes everything in one commit, and only then answers,
//! pushes and publishes. While a commit is on its way to the disk the board takes up the next commands, so that load
//! makes commits larger instead of more frequent. Nothing that was not committed is ever told to anybody.

mod command;
mod drive;
mod live;

use std::collections::BTreeMap;
use std::sync::Arc;

use swarm_engine::{CommandError, NewTask, PlacementReport, TaskEdit, WorkerProfile};
use swarm_model::change::TaskHead;
use swarm_model::change::TaskRow;
use swarm_model::task::TaskResult;
use swarm_model::worker::{AttemptRef, Capabilities, Load, Pauses, ShareLimits};
use swarm_model::{Clock, SessionId, TaskNumber, TaskStatus, UserId, WorkerId};
use swarm_proto::worker::{Assignment, Report, ReportReply, ToWorker};
use swarm_store::{StoreError, TaskStore};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hub::Hub;

pub use command::HeartbeatReport;
use command::{Command, ReportTo};
pub use live::{LiveWorker, LiveWorkers};

/// Why the dispatcher did not do what was asked. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DispatchError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
    /// The task does not allow it.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The worker is not there.
    #[error("the worker is not connected")]
    UnknownWorker,
    /// The user has as many tasks waiting as the instance allows.
    #[error("{waiting} tasks are waiting already; {limit} are allowed")]
    TooManyWaiting {
        /// How many wait.
        waiting: usize,
        /// How many may.
        limit: usize,
    },
    /// The coordinator is stopping.
    #[error("the coordinator is stopping")]
    Stopping,
}

/// A submitted task as it stands after its commit.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmittedTask {
    /// What never changes.
    pub head: Arc<TaskHead>,
    /// What moves.
    pub row: TaskRow,
    /// Its result, where the same key gave a task that has ended.
    pub result: Option<TaskResult>,
    /// Whether the idempotency key gave a task that was there before.
    pub is_known: bool,
}

/// What a worker is told when it joins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinReply {
    /// What the board said.
    pub joined: swarm_engine::Joined,
    /// Whether nothing is handed out to it now.
    pub paused: bool,
}

/// How many commands may wait for the dispatcher.
const WAITING_COMMANDS: usize = 4096;

/// A handle of the dispatcher.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    commands: mpsc::Sender<Command>,
    live: LiveWorkers,
}

/// What the dispatcher works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where tasks are kept.
    pub store: Arc<dyn TaskStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub hub: Hub,
    /// Tasks of one person that may wait at once.
    pub max_waiting: usize,
    /// Whether the swarm was paused when the coordinator last stopped.
    pub is_paused: bool,
}

impl Dispatcher {
    /// Takes up what the store holds and begins.
    pub async fn start(deps: Deps, tracker: &TaskTracker, shutdown: CancellationToken) -> Result<Self, StoreError> {
        let (commands, inbox) = mpsc::channel(WAITING_COMMANDS);
        let live = LiveWorkers::default();
        let drive = drive::Drive::load(deps, live.clone()).await?;
        tracker.spawn(drive.run(inbox, shutdown));
        Ok(Self { commands, live })
    }

    /// Workers that are connected or hold leases, as of the last commit.
    pub fn live(&self) -> &LiveWorkers {
        &self.live
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, DispatchError>>) -> Command,
    ) -> Result<T, DispatchError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| DispatchError::Stopping)?;
        answer.await.map_err(|_| DispatchError::Stopping)?
    }

    /// Queues tasks, all or none.
    pub async fn submit(&self, tasks: Vec<NewTask>) -> Result<Vec<SubmittedTask>, DispatchError> {
        self.ask(|reply| Command::Submit { tasks, reply }).await
    }

    /// Changes a queued task.
    pub async fn edit(&self, number: TaskNumber, version: i64, edit: TaskEdit) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Edit { number, version, edit, reply }).await
    }

    /// Ends a task.
    pub async fn cancel(&self, number: TaskNumber) -> Result<TaskStatus, DispatchError> {
        self.ask(|reply| Command::Cancel { number, reply }).await
    }

    /// Ends everything of a person that has not ended; says how much it was.
    pub async fn cancel_all_of(&self, user: UserId) -> Result<usize, DispatchError> {
        self.ask(|reply| Command::CancelAllOf { user, reply }).await
    }

    /// A worker's name, its sharing or the people who may use it changed. What runs there for those who no longer may
    /// goes back to its queue.
    pub async fn set_people(
        &self,
        worker: WorkerId,
        machine_name: String,
        shared: bool,
        operators: BTreeMap<UserId, ShareLimits>,
    ) -> Result<(), DispatchError> {
        self.ask(|reply| Command::People { worker, machine_name, shared, operators, reply }).await
    }

    /// Explains a task to `user`, naming only these workers; `None` where it has ended.
    pub async fn placement(
        &self,
        number: TaskNumber,
        visible: Vec<WorkerId>,
    ) -> Result<Option<PlacementReport>, DispatchError> {
        self.ask(|reply| Command::Placement { number, visible, reply }).await
    }

    /// A worker opens a socket; frames for it go to `outbox`. An older socket of the same worker is closed.
    pub async fn join(
        &self,
        profile: WorkerProfile,
        session: SessionId,
        named: Vec<AttemptRef>,
        outbox: Option<mpsc::Sender<ToWorker>>,
    ) -> Result<JoinReply, DispatchError> {
        self.ask(|reply| Command::Join { profile: Box::new(profile), session, named, outbox, reply }).await
    }

    /// A worker's socket is gone.
    pub async fn leave(&self, worker: WorkerId, session: SessionId) {
        self.commands.send(Command::Leave { worker, session }).await.ok();
    }

    /// Closes a worker's socket: its credential was revoked.
    pub async fn disconnect(&self, worker: WorkerId) {
        self.commands.send(Command::Disconnect { worker }).await.ok();
    }

    /// A worker reports that it lives. `UnknownWorker` where it must join first.
    pub async fn heartbeat(
        &self,
        worker: WorkerId,
        load: Load,
        running: Vec<AttemptRef>,
    ) -> Result<HeartbeatReport, DispatchError> {
        self.ask(|reply| Command::Heartbeat { worker, load, running, reply: Some(reply) }).await
    }

    /// The same over a socket, where cancels and stale attempts come as frames.
    pub async fn heartbeat_frame(&self, worker: WorkerId, load: Load, running: Vec<AttemptRef>) {
        self.commands.send(Command::Heartbeat { worker, load, running, reply: None }).await.ok();
    }

    /// A worker reports over HTTP; the answer comes after the commit.
    pub async fn report(&self, worker: WorkerId, report: Report) -> Result<ReportReply, DispatchError> {
        self.ask(|reply| Command::Report { worker, report, to: ReportTo::Caller(reply) }).await
    }

    /// A worker reports over its socket; the acknowledgement comes as a frame after the commit.
    pub async fn report_frame(&self, worker: WorkerId, session: SessionId, report: Report) {
        self.commands.send(Command::Report { worker, report, to: ReportTo::Socket(session) }).await.ok();
    }

    /// A worker asks for one task; the receiver gets it, now or later.
    pub async fn pull(&self, worker: WorkerId) -> Result<oneshot::Receiver<Assignment>, DispatchError> {
        self.ask(|reply| Command::Pull { worker, reply }).await
    }

    /// The worker waits no longer.
    pub async fn end_pull(&self, worker: WorkerId) {
        self.commands.send(Command::EndPull { worker }).await.ok();
    }

    /// What a worker brings changed.
    pub async fn set_capabilities(&self, worker: WorkerId, capabilities: Capabilities) {
        self.commands.send(Command::Capabilities { worker, capabilities: Box::new(capabilities) }).await.ok();
    }

    /// Pauses or resumes a worker, for the coordinator or for the machine's owner.
    pub async fn set_pause(&self, worker: WorkerId, by_owner: bool, paused: bool) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Pause { worker, by_owner, paused, reply }).await
    }

    /// Lets a worker finish, or take new work again.
    pub async fn set_draining(&self, worker: WorkerId, draining: bool) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Drain { worker, draining, reply }).await
    }

    /// Forgets a worker and closes its socket.
    pub async fn remove(&self, worker: WorkerId) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Remove { worker, reply }).await
    }

    /// Whether a worker holds this attempt's lease, and of which task.
    pub async fn holds(&self, worker: WorkerId, attempt: AttemptRef) -> Result<Option<TaskNumber>, DispatchError> {
        self.ask(|reply| Command::Holds { worker, attempt, reply }).await
    }

    /// Stops or restarts the hand-out for everyone. The caller has written the setting.
    pub async fn set_swarm_paused(&self, paused: bool) -> Result<(), DispatchError> {
        self.ask(|reply| Command::PauseAll { paused, reply }).await
    }

    /// Whether the hand-out is stopped.
    pub fn is_swarm_paused(&self) -> bool {
        self.live.is_swarm_paused()
    }

    /// Takes up budgets that were set, changed or removed in the store: what waited for one goes on, what would draw on
    /// one that is used up waits.
    pub async fn budgets_changed(&self) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Budgets { reply }).await
    }

    /// Looks at the clock now. A test calls this after it moved its clock.
    pub async fn tick(&self) -> Result<(), DispatchError> {
        self.ask(|reply| Command::Tick { reply }).await
    }
}

/// Whose pause it is, put into what stands.
fn with_pause(pauses: Pauses, by_owner: bool, paused: bool) -> Pauses {
    if by_owner { Pauses { by_owner: paused, ..pauses } } else { Pauses { by_coordinator: paused, ..pauses } }
}

#[cfg(test)]
mod tests;
