//! The headless worker: it joins a coordinator, takes tasks, runs tools, and tells what happens.
//!
//! [`Agent::run`] is what the command line, the app and the tests call; what differs between them is a
//! [`Host`]. The agent decides what runs on its machine (`policy`), writes down what must not be lost before it
//! tells anybody (`journal`), and reports until it is acknowledged (`core`). It knows no Tauri, no SQL, no
//! axum, and of the coordinator only its interface.
//!
//! In the data folder: `worker.toml` ([`Settings`]), `identity.json`, `runs/` (one folder an attempt), `state/` (what
//! tools keep between runs, by tool and account), `mirrors/` (repositories that runs work on), `shared-use.ndjson` (what other people used), `control/` (the local socket), `agent.lock`.

mod agent;
mod artifacts;
mod aside;
mod attempt;
mod config;
mod control;
mod core;
mod disk;
mod durable;
mod enrol;
mod error;
mod host;
mod identity;
mod journal;
mod ledger;
mod link;
mod machine;
mod policy;
mod run;
mod settings;
mod upload;
mod worktree;

pub use agent::Agent;
pub use config::{AgentConfig, Key};
pub use control::{
    AgentControl, AgentEvent, AgentHandle, AgentStatus, ControlClient, ControlError, ControlReply, ControlRequest,
    LinkStatus, LoggedIn, RunningTask, SecretText, ToolChange, ToolHere, UsedToday, tools_of_folder,
};
pub use disk::{DiskItem, DiskKind, DiskReport, DiskState};
pub use error::AgentError;
pub use host::{FileHost, Host, HostError, SecretPlace};
pub use identity::IdentityError;
pub use settings::{
    ArtifactLimits, Changed, Dollars, EditError, Grant, Grantee, Keep, ParseDollarsError, Preferences, SandboxSection,
    Settings, SettingsError, ToolSection, kept_key_places,
};

/// The points at which a test may kill the agent; see `swarm_model::crash`.
pub const CRASH_POINTS: [&str; 14] = [
    "agent.assignment.journalled",
    "agent.accept.sending",
    "agent.accept.sent",
    "agent.line.journalling",
    "agent.line.journalled",
    "agent.lines.sending",
    "agent.lines.sent",
    "agent.result.journalling",
    "agent.result.journalled",
    "agent.result.sending",
    "agent.result.sent",
    "agent.ack.received",
    "agent.ack.processed",
    "agent.hello.sent",
];
