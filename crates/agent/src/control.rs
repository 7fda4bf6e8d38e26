//! How others see and steer the agent: tray, page of the phone, command line.
//!
//! There is one API, [`AgentControl`], and two ways to it: an [`AgentHandle`] in the agent's own process, and a
//! [`ControlClient`] over the local socket elsewhere.

mod client;
mod place;
pub(crate) mod socket;
mod tools;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use swarm_model::task::Outcome;
use swarm_model::time::SystemClock;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::{AttemptRef, Pauses, ProvenIsolation, RefusalReason};
use swarm_model::{Clock as _, FailureClass, TaskNumber, Timestamp, ToolName, UserId, WorkerId};
use tokio::sync::{broadcast, watch};

pub use self::client::ControlClient;
pub use self::tools::{LoggedIn, ToolChange, ToolHere, tools_of_folder};
pub use self::wire::{ControlReply, ControlRequest, SecretText};
use crate::disk::{DiskReport, Storage};
use crate::ledger::Ledger;
use crate::machine::host_name;
use crate::settings::{Changed, Dollars, Edit, Grant, Grantee, Preferences, Settings, SettingsOwner};

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
    /// How far it keeps runs away from itself, as it proved when it started.
    #[serde(default)]
    pub isolation: ProvenIsolation,
    /// Who besides the owner may use which tool.
    pub grants: Vec<Grant>,
    /// What they used today.
    pub used_today: Vec<UsedToday>,
}

/// What somebody who does not own the machine used of it today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedToday {
    /// Who.
    pub user_id: UserId,
    /// Which tool.
    pub tool: ToolName,
    /// Runs that ended.
    pub runs: u32,
    /// What they reported as their cost.
    pub cost_usd: Dollars,
}

impl AgentStatus {
    /// Shows what the settings say.
    pub(crate) fn set_preferences(&mut self, settings: &Settings) {
        self.name = settings.name.clone().unwrap_or_else(host_name);
        self.pauses.by_owner = settings.paused;
        self.slots = settings.slots();
        self.grants.clone_from(&settings.grants);
    }
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
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) settings: Arc<SettingsOwner>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) storage: Arc<Storage>,
    pub(crate) status: watch::Sender<AgentStatus>,
    pub(crate) events: broadcast::Sender<AgentEvent>,
}

/// Sees and steers an agent in this process. Clones see the same one.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    control: std::sync::Weak<SettingsOwner>,
    ledger: Arc<Ledger>,
    storage: Arc<Storage>,
    status: watch::Receiver<AgentStatus>,
    events: broadcast::WeakSender<AgentEvent>,
}

/// The agent did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is over, or ended in the middle.
    #[error("the worker has stopped")]
    Stopped,
    /// There is none in this folder.
    #[error("no worker runs with the data folder {data_dir}")]
    NotRunning {
        /// Which folder.
        data_dir: std::path::PathBuf,
    },
    /// It is there, and this process may not speak to it.
    #[error("the worker with the data folder {data_dir} cannot be reached")]
    Unreachable {
        /// Which folder.
        data_dir: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It did not answer.
    #[error("the worker does not answer")]
    Silent,
    /// It said no.
    #[error("{message}")]
    Refused {
        /// In its words.
        message: String,
    },
}

/// Events that a slow listener may be behind.
const EVENTS: usize = 256;

pub(crate) fn channel(
    settings: Arc<SettingsOwner>,
    ledger: Arc<Ledger>,
    storage: Arc<Storage>,
    status: watch::Sender<AgentStatus>,
) -> (AgentHandle, Control) {
    let (events, _) = broadcast::channel(EVENTS);
    let handle = AgentHandle {
        control: Arc::downgrade(&settings),
        ledger: Arc::clone(&ledger),
        storage: Arc::clone(&storage),
        status: status.subscribe(),
        events: events.downgrade(),
    };
    (handle, Control { settings, ledger, storage, status, events })
}

/// Sees and steers an agent, wherever it runs.
#[async_trait]
pub trait AgentControl: Send + Sync {
    /// Asks for one thing. Something that is not done is an error that says why.
    async fn ask(&self, request: ControlRequest) -> Result<ControlReply, ControlError>;

    /// How the agent stands now.
    async fn status_now(&self) -> Result<AgentStatus, ControlError> {
        match self.ask(ControlRequest::Status).await? {
            ControlReply::Status { status } => Ok(*status),
            other => Err(beside(&other)),
        }
    }

    /// Takes nothing new until `resume`, also after a restart. What runs goes on.
    async fn pause(&self) -> Result<Changed, ControlError> {
        changed(self.ask(ControlRequest::Pause).await?)
    }

    /// Lifts the owner's pause; a pause by the coordinator stands.
    async fn resume(&self) -> Result<Changed, ControlError> {
        changed(self.ask(ControlRequest::Resume).await?)
    }

    /// The effective settings.
    async fn preferences(&self) -> Result<Preferences, ControlError> {
        match self.ask(ControlRequest::Preferences).await? {
            ControlReply::Preferences { preferences } => Ok(*preferences),
            other => Err(beside(&other)),
        }
    }

    /// Changes a setting, by its dotted key.
    async fn set_preference(&self, key: &str, value: &str) -> Result<Changed, ControlError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        changed(self.ask(ControlRequest::SetPreference { key, value }).await?)
    }

    /// Brings a setting back to its default.
    async fn unset_preference(&self, key: &str) -> Result<Changed, ControlError> {
        changed(self.ask(ControlRequest::UnsetPreference { key: key.to_owned() }).await?)
    }

    /// Lets somebody else use a tool, in place of an earlier grant of it to them.
    async fn grant(&self, grant: Grant) -> Result<Changed, ControlError> {
        changed(self.ask(ControlRequest::Grant { grant }).await?)
    }

    /// What the worker keeps on its disk. `free` frees what may be freed first.
    async fn disk(&self, free: bool) -> Result<DiskReport, ControlError> {
        match self.ask(ControlRequest::Disk { free }).await? {
            ControlReply::Disk { disk } => Ok(*disk),
            other => Err(beside(&other)),
        }
    }

    /// The tools of this machine, as they are found now.
    async fn tools(&self) -> Result<Vec<ToolHere>, ControlError> {
        match self.ask(ControlRequest::Tools).await? {
            ControlReply::Tools { tools } => Ok(tools),
            other => Err(beside(&other)),
        }
    }

    /// Changes settings of a tool, all or none. Gives it back as it is then.
    async fn set_tool(&self, tool: ToolName, changes: Vec<ToolChange>) -> Result<ToolHere, ControlError> {
        changed_tool(self.ask(ControlRequest::SetTool { tool, changes }).await?)
    }

    /// Keeps a key for a tool; one that its provider must know is asked for there.
    async fn log_in(&self, tool: ToolName, key: SecretText, check: bool) -> Result<LoggedIn, ControlError> {
        match self.ask(ControlRequest::LogIn { tool, key, check }).await? {
            ControlReply::LoggedIn { login } => Ok(*login),
            other => Err(beside(&other)),
        }
    }

    /// Forgets the key of a tool. Gives it back as it is then.
    async fn log_out(&self, tool: ToolName) -> Result<ToolHere, ControlError> {
        changed_tool(self.ask(ControlRequest::LogOut { tool }).await?)
    }

    /// Ends a grant; every one of that person where no tool is named.
    async fn ungrant(&self, user: Grantee, tool: Option<ToolName>) -> Result<Changed, ControlError> {
        changed(self.ask(ControlRequest::Ungrant { user, tool }).await?)
    }
}

fn changed(reply: ControlReply) -> Result<Changed, ControlError> {
    match reply {
        ControlReply::Changed { changed } => Ok(*changed),
        other => Err(beside(&other)),
    }
}

fn changed_tool(reply: ControlReply) -> Result<ToolHere, ControlError> {
    match reply {
        ControlReply::Tool { tool } => Ok(*tool),
        other => Err(beside(&other)),
    }
}

fn beside(reply: &ControlReply) -> ControlError {
    match reply {
        ControlReply::Refused { message } => ControlError::Refused { message: message.clone() },
        _ => ControlError::Refused { message: "the worker answered something else than was asked".to_owned() },
    }
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

    async fn look_at_disk(&self, settings: Arc<Settings>, free: bool) -> Result<ControlReply, ControlError> {
        let storage = Arc::clone(&self.storage);
        let look = move || {
            let now = SystemClock.now();
            if free { storage.free(&settings, now) } else { storage.report(&settings, now) }
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(disk)) => Ok(ControlReply::Disk { disk: Box::new(disk) }),
            Ok(Err(error)) => {
                Err(ControlError::Refused { message: format!("the worker's folders cannot be read: {error}") })
            }
            Err(_) => Err(ControlError::Stopped),
        }
    }

    /// Follows what happens from now on.
    pub fn events(&self) -> broadcast::Receiver<AgentEvent> {
        // Of an agent that is over nothing is heard any more.
        self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |events| events.subscribe())
    }
}

#[async_trait]
impl AgentControl for AgentHandle {
    async fn ask(&self, request: ControlRequest) -> Result<ControlReply, ControlError> {
        let settings = self.control.upgrade().ok_or(ControlError::Stopped)?;
        let edit = match request {
            ControlRequest::Status | ControlRequest::Watch => {
                let mut status = Box::new(self.status());
                status.used_today = used_today(&self.ledger);
                return Ok(ControlReply::Status { status });
            }
            ControlRequest::Preferences => {
                return Ok(ControlReply::Preferences { preferences: Box::new(settings.preferences()) });
            }
            ControlRequest::Disk { free } => return self.look_at_disk(settings.current(), free).await,
            ControlRequest::Pause => Edit::Pause(true),
            ControlRequest::Resume => Edit::Pause(false),
            ControlRequest::SetPreference { key, value } => Edit::Set { key, value },
            ControlRequest::UnsetPreference { key } => Edit::Unset { key },
            ControlRequest::Grant { grant } => Edit::Grant(grant),
            ControlRequest::Ungrant { user, tool } => Edit::Ungrant { user, tool },
            ControlRequest::Tools => return Ok(ControlReply::Tools { tools: self.tools_here(&settings).await }),
            ControlRequest::SetTool { tool, changes } => return self.change_tool(settings, &tool, changes).await,
            ControlRequest::LogIn { tool, key, check } => return self.keep_login(settings, tool, &key, check).await,
            ControlRequest::LogOut { tool } => return self.forget_login(settings, tool).await,
        };
        let changed = tools::blocking(move || settings.change(&edit)).await?;
        Ok(ControlReply::Changed { changed: Box::new(changed) })
    }
}

pub(crate) fn used_today(ledger: &Ledger) -> Vec<UsedToday> {
    let used = ledger.today(SystemClock.now()).into_iter();
    used.map(|((user_id, tool), used)| {
        let cost_usd = Dollars::from_micros(used.cost_microusd);
        UsedToday { user_id, tool, runs: used.runs, cost_usd }
    })
    .collect()
}
