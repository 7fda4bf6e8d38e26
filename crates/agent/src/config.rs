//! What a program that starts an agent may say. Everything else stands in the machine's own settings.

use std::fmt;
use std::time::Duration;

use swarm_client::{Address, Fingerprint};
use swarm_model::ToolName;
use swarm_tools::Variables;

use crate::settings::Settings;

/// How an agent is started.
#[derive(Debug, Clone, Default)]
pub struct AgentConfig {
    /// Where the coordinator is; none goes on with the one that this machine joined.
    pub coordinator: Option<Address>,
    /// The certificate that the coordinator must have. None goes on with the one that this machine pinned there, or
    /// trusts the usual authorities.
    pub fingerprint: Option<Fingerprint>,
    /// The key to join with. Not looked at where this machine has a credential that is still good.
    pub key: Option<Key>,
    /// The coordinator is the one that this machine joined, whatever its address: for the worker of `up`, whose
    /// coordinator lives in the same process.
    pub same_coordinator: bool,
    /// Changes the name in the settings.
    pub name: Option<String>,
    /// Changes the slots in the settings.
    pub slots: Option<u32>,
    /// Switches these tools on in the settings.
    pub allow_tools: Vec<ToolName>,
    /// How long runs may go on once the agent was told to stop; then they end and go back to their queue.
    pub drain: Duration,
    /// The environment in which tools find keys and addresses that the settings do not name; none by default. A
    /// program that acts for the person who started it gives its own.
    pub variables: Variables,
}

/// A worker key. Shows no secret.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A key as a person gave it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().trim().to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl AgentConfig {
    /// An agent for the coordinator at this address.
    pub fn new(coordinator: Address) -> Self {
        Self { coordinator: Some(coordinator), ..Self::default() }
    }

    /// Puts what was said at the start into the settings; tells whether that changed them.
    pub(crate) fn change(&self, settings: &mut Settings) -> bool {
        let before = settings.clone();
        if let Some(name) = &self.name {
            settings.name = Some(name.clone());
        }
        if let Some(slots) = self.slots {
            settings.slots = Some(slots);
        }
        for tool in &self.allow_tools {
            settings.enable(tool.clone(), true);
        }
        *settings != before
    }
}
