//! Why an agent does not start or cannot go on. Everything else it mends by itself.

use std::path::PathBuf;

use swarm_client::ClientError;
use swarm_model::ToolName;

use crate::host::HostError;
use crate::identity::IdentityError;
use crate::settings::SettingsError;

/// An agent that does not start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A file or folder of the agent is out of reach.
    #[error("{path} cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another agent lives in the folder.
    #[error("another worker is running with the data folder {path}: stop it, or give this one a folder of its own")]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The credential is out of reach.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A tool was to be allowed that this build does not have.
    #[error("there is no tool \"{0}\"")]
    UnknownTool(ToolName),
    /// Nobody said where the coordinator is.
    #[error(
        "this machine has not joined a coordinator: start it with `garageswarm worker run --coordinator URL --key KEY`"
    )]
    NoCoordinator,
    /// The machine joined another coordinator.
    #[error("this machine belongs to {joined}: to move it to {asked}, give a key of that coordinator with --key")]
    OtherCoordinator {
        /// The one that it joined.
        joined: String,
        /// The one that was asked for.
        asked: String,
    },
    /// There is neither a credential nor a key.
    #[error(
        "this machine has not joined {coordinator}: make a key there with `garageswarm key create`, and give it with --key"
    )]
    NoKey {
        /// Where.
        coordinator: String,
    },
    /// The coordinator refused the key.
    #[error("{coordinator} refused the key: make a new one there with `garageswarm key create`")]
    KeyRefused {
        /// Where.
        coordinator: String,
        /// In its words.
        #[source]
        source: Box<ClientError>,
    },
    /// The coordinator no longer takes this worker's credential.
    #[error(
        "{coordinator} no longer accepts this machine (its credential was revoked, or it was removed): \
         to join again, make a key there with `garageswarm key create` and start with --key"
    )]
    CredentialRefused {
        /// Where.
        coordinator: String,
        /// In its words.
        #[source]
        source: Box<ClientError>,
    },
    /// What answers there cannot be worked with, and trying again does not change that.
    #[error("the coordinator at {coordinator} cannot be used")]
    Coordinator {
        /// Where.
        coordinator: String,
        /// Why.
        #[source]
        source: Box<ClientError>,
    },
}
