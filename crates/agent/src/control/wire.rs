//! What is said over the local socket, and to the agent in its own process: one request, one reply.
//!
//! Lines of JSON, each with the version of the protocol and of bounded length. A request is answered by one line;
//! `watch` by many, until the connection ends.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use swarm_model::ToolName;
use tokio_util::codec::LinesCodec;

use super::tools::{LoggedIn, ToolChange, ToolHere};
use super::{AgentEvent, AgentStatus};
use crate::disk::DiskReport;
use crate::settings::{Changed, Grant, Grantee, Preferences};

/// The version of this protocol.
pub(super) const VERSION: u32 = 1;
/// The longest request.
pub(super) const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// The longest reply: a status with every tool and its models.
const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;

/// What can be asked of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum ControlRequest {
    /// How it stands.
    Status,
    /// How it stands now and whenever that changes, and what happens.
    Watch,
    /// Take nothing new; what runs goes on.
    Pause,
    /// Lift the owner's pause.
    Resume,
    /// The effective settings.
    Preferences,
    /// Changes a setting.
    SetPreference {
        /// Its dotted key.
        key: String,
        /// As people write it.
        value: String,
    },
    /// Brings a setting back to its default.
    UnsetPreference {
        /// Its dotted key.
        key: String,
    },
    /// What it keeps on its disk.
    Disk {
        /// Free what may be freed first.
        free: bool,
    },
    /// Lets somebody else use a tool, in place of an earlier grant of it to them.
    Grant {
        /// The whole grant.
        grant: Grant,
    },
    /// Ends a grant.
    Ungrant {
        /// Whose.
        user: Grantee,
        /// Of which tool; of every tool where none is named.
        tool: Option<ToolName>,
    },
    /// The tools of this machine, as they are found now.
    Tools,
    /// Changes settings of a tool, all or none.
    SetTool {
        /// Which.
        tool: ToolName,
        /// What.
        changes: Vec<ToolChange>,
    },
    /// Keeps a key for a tool.
    LogIn {
        /// Which.
        tool: ToolName,
        /// The key.
        key: SecretText,
        /// Whether its provider must know it.
        check: bool,
    },
    /// Forgets the key of a tool.
    LogOut {
        /// Which.
        tool: ToolName,
    },
}

/// A secret on its way to the agent. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// A secret as a person gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum ControlReply {
    /// How it stands.
    Status {
        /// All of it.
        status: Box<AgentStatus>,
    },
    /// Something happened; only for who watches.
    Event {
        /// What.
        event: AgentEvent,
    },
    /// The settings.
    Preferences {
        /// All of them.
        preferences: Box<Preferences>,
    },
    /// The settings are changed.
    Changed {
        /// How they are now.
        changed: Box<Changed>,
    },
    /// What it keeps on its disk.
    Disk {
        /// All of it.
        disk: Box<DiskReport>,
    },
    /// The tools.
    Tools {
        /// All of them, by name.
        tools: Vec<ToolHere>,
    },
    /// One tool, as it is after a change.
    Tool {
        /// All of it.
        tool: Box<ToolHere>,
    },
    /// The key is kept.
    LoggedIn {
        /// Where, and for what.
        login: Box<LoggedIn>,
    },
    /// It was not done.
    Refused {
        /// Why, in a sentence.
        message: String,
    },
}

impl ControlReply {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into() }
    }
}

/// A line.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    v: u32,
    #[serde(flatten)]
    said: T,
}

/// What every line must have, whatever its version.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// A line that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error(
        "the other side speaks version {0} of the control protocol, this one version {VERSION}: use the same version of the program"
    )]
    Version(u32),
    #[error("this is no line of the control protocol")]
    Line(#[from] serde_json::Error),
}

pub(super) fn to_line<T: Serialize>(said: &T) -> Result<String, WireError> {
    Ok(serde_json::to_string(&Line { v: VERSION, said })?)
}

pub(super) fn from_line<T: DeserializeOwned>(line: &str) -> Result<T, WireError> {
    let Version { v } = serde_json::from_str(line)?;
    if v != VERSION {
        return Err(WireError::Version(v));
    }
    Ok(serde_json::from_str::<Line<T>>(line)?.said)
}

/// Lines of requests, as the agent reads them.
pub(super) fn requests() -> LinesCodec {
    LinesCodec::new_with_max_length(MAX_REQUEST_BYTES)
}

/// Lines of replies, as a client reads them.
pub(super) fn replies() -> LinesCodec {
    LinesCodec::new_with_max_length(MAX_REPLY_BYTES)
}
