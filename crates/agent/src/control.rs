//! How others in this process see and steer the agent: tray, page of the phone, a local socket later.

use serde::{Deserialize, Serialize};
use swarm_model::task::Outcome;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::{AttemptRef, Pauses, RefusalReason};
use swarm_model::{FailureClass, TaskNumber, Timestamp, ToolName, WorkerId};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::settings::SettingsError;

/// How the agent stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// What people call the machine.
    pub name: String,
    /// Who it is, once it has joined.
    pub worker_id: Option<WorkerId>,
    /// Its coordinator, once it is known.
    pub coordinator: Option<String>,
    /// Whether it is connected.
    pub link: LinkStatus,
    /// Who paused it.
    pub pauses: Pauses,
    /// Whether it finishes what it has and takes nothing new.
    pub draining: bool,
    /// Runs at once.
    pub slots: u32,
    /// What runs, oldest first.
    pub running: Vec<RunningTask>,
    /// Finished runs whose results are not acknowledged.
    pub unacknowledged: usize,
    /// Its tools as they were last found.
    pub tools: Vec<ToolInfo>,
}

/// Whether the agent is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkStatus {
    /// On its way: not yet joined, or not yet connected.
    Connecting,
    /// Connected.
    Connected,
    /// Not connected; it tries again by itself.
    Waiting {
        /// Why the last try failed.
        reason: String,
    },
    /// Over.
    Stopped,
}

/// A run that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// The task's short number.
    pub number: TaskNumber,
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptRef,
    /// The tool.
    pub tool: ToolName,
    /// Since when.
    pub since: Timestamp,
    /// Percent, where the tool says so.
    pub progress: Option<u8>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// The link changed.
    Link {
        /// To what.
        link: LinkStatus,
    },
    /// A run began.
    Started {
        /// The task.
        number: TaskNumber,
        /// The tool.
        tool: ToolName,
    },
    /// An assignment was declined.
    Refused {
        /// The task.
        number: TaskNumber,
        /// Why.
        reason: RefusalReason,
    },
    /// A run ended.
    Ended {
        /// The task.
        number: TaskNumber,
        /// Why it gave no result; none where it did, or where it was cancelled.
        failure: Option<FailureClass>,
    },
    /// The coordinator has the result.
    Delivered {
        /// The task.
        number: TaskNumber,
    },
}

impl AgentEvent {
    pub(crate) fn ended(number: TaskNumber, outcome: &Outcome) -> Self {
        let failure = match outcome {
            Outcome::Failed { class, .. } => Some(*class),
            Outcome::Completed { .. } | Outcome::Cancelled { .. } => None,
        };
        Self::Ended { number, failure }
    }
}

/// The agent's end of its handles.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) status: watch::Sender<AgentStatus>,
    pub(crate) events: broadcast::Sender<AgentEvent>,
}

/// What a handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// The owner pauses or resumes the machine.
    SetPaused { paused: bool, done: oneshot::Sender<Result<(), SettingsError>> },
}

/// Sees and steers a running agent. Clones see the same one.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<AgentStatus>,
    events: broadcast::Sender<AgentEvent>,
}

/// The agent did not do what a handle asked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is over.
    #[error("the worker has stopped")]
    Stopped,
    /// The settings could not be written.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Events that a slow listener may be behind.
const EVENTS: usize = 256;

pub(crate) fn channel(status: AgentStatus) -> (AgentHandle, Control) {
    let (commands, inbox) = mpsc::channel(8);
    let (publish, status) = watch::channel(status);
    let (events, _) = broadcast::channel(EVENTS);
    let handle = AgentHandle { commands, status, events: events.clone() };
    (handle, Control { commands: inbox, status: publish, events })
}

impl AgentHandle {
    /// How the agent stands now.
    pub fn status(&self) -> AgentStatus {
        self.status.borrow().clone()
    }

    /// Follows how the agent stands.
    pub fn watch(&self) -> watch::Receiver<AgentStatus> {
        self.status.clone()
    }

    /// Follows what happens from now on.
    pub fn events(&self) -> broadcast::Receiver<AgentEvent> {
        self.events.subscribe()
    }

    /// Takes nothing new until `resume`, also after a restart. What runs goes on.
    pub async fn pause(&self) -> Result<(), ControlError> {
        self.set_paused(true).await
    }

    /// Lifts the owner's pause; a pause by the coordinator stands.
    pub async fn resume(&self) -> Result<(), ControlError> {
        self.set_paused(false).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), ControlError> {
        let (done, answer) = oneshot::channel();
        self.commands.send(Command::SetPaused { paused, done }).await.map_err(|_| ControlError::Stopped)?;
        Ok(answer.await.map_err(|_| ControlError::Stopped)??)
    }
}
