//! The tools of this machine as its owner sees and sets them: what was found, what is set, where the key is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use swarm_model::ToolName;
use swarm_model::tool::ToolInfo;
use swarm_tools::{Registry, ToolSettings, Variables};
use tokio::task::spawn_blocking;

use super::wire::SecretText;
use super::{AgentHandle, ControlError, ControlReply};
use crate::host::{Host, SecretPlace};
use crate::settings::{Edit, KeptKeys, Settings, SettingsOwner, list_of};

/// A tool of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolHere {
    /// What was found, whether or not the tool may be used.
    #[serde(flatten)]
    pub info: ToolInfo,
    /// Whether its owner lets it be used.
    pub enabled: bool,
    /// Runs now.
    pub running: u32,
    /// Which address it asks and with which key, and where both were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where the key is that its owner gave to the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_place: Option<SecretPlace>,
    /// How a person signs in with the tool itself, where it has a login of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_login: Option<String>,
    /// What is set. Values of variables are left out.
    pub settings: ToolSettings,
}

/// A change of one setting of a tool; without a value it goes back to its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolChange {
    /// Which: `model`, `url`, `env.NAME`.
    pub key: String,
    /// As people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A key that was taken and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The address that it goes to.
    pub address: String,
    /// How many models the provider listed for it; none where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<usize>,
    /// Where it is kept.
    pub place: SecretPlace,
    /// The tool as it is now.
    pub tool: ToolHere,
}

/// The tools of a worker that does not run, as this process would find them.
pub async fn tools_of_folder(settings: Settings, host: Arc<dyn Host>, variables: &Variables) -> Vec<ToolHere> {
    let registry = Registry::standard(variables);
    let names: Vec<_> = registry.names().cloned().collect();
    // Without an answer there is no key to be seen, as with none.
    let keys = spawn_blocking(move || KeptKeys::read(&*host, &names)).await.unwrap_or_default();
    let settings = keys.put_into(settings);
    let found = registry.detect_all(&settings.of_tools()).await;
    let of = |info: ToolInfo| {
        let place = keys.place(&info.name);
        here(info, &registry, &settings, place, 0)
    };
    found.into_iter().map(of).collect()
}

fn here(
    info: ToolInfo,
    registry: &Registry,
    settings: &Settings,
    key_place: Option<SecretPlace>,
    running: u32,
) -> ToolHere {
    let of_tools = settings.of_tools();
    let mut set = of_tools.get(&info.name).cloned().unwrap_or_default();
    set.hide_variables();
    ToolHere {
        enabled: settings.is_enabled(&info.name),
        running,
        source: registry.account(&info.name, &of_tools),
        key_place,
        own_login: registry.get(&info.name).and_then(|adapter| adapter.own_login()).map(str::to_owned),
        settings: set,
        info,
    }
}

impl AgentHandle {
    /// Every tool of this machine, as it is found now.
    pub(super) async fn tools_here(&self, owner: &SettingsOwner) -> Vec<ToolHere> {
        let settings = owner.current();
        let found = owner.registry.detect_all(&settings.of_tools()).await;
        found.into_iter().map(|info| self.one(info, owner, &settings)).collect()
    }

    fn one(&self, info: ToolInfo, owner: &SettingsOwner, settings: &Settings) -> ToolHere {
        let running = self.status.borrow().running.iter().filter(|run| run.tool == info.name).count();
        let key_place = owner.key_place(&info.name);
        here(info, &owner.registry, settings, key_place, u32::try_from(running).unwrap_or(u32::MAX))
    }

    /// One tool, as it is found now.
    async fn tool_here(&self, owner: &SettingsOwner, tool: &ToolName) -> Result<ToolHere, ControlError> {
        let settings = owner.current();
        let of_tool = settings.of_tools().remove(tool).unwrap_or_default();
        let found = owner.registry.detect(tool, &of_tool).await.ok_or_else(|| unknown(owner, tool))?;
        Ok(self.one(found, owner, &settings))
    }

    /// Changes settings of a tool, all or none.
    pub(super) async fn change_tool(
        &self,
        owner: Arc<SettingsOwner>,
        tool: &ToolName,
        changes: Vec<ToolChange>,
    ) -> Result<ControlReply, ControlError> {
        known(&owner, tool)?;
        let edits = changes.into_iter().map(|change| edit(tool, change)).collect::<Result<_, _>>()?;
        {
            let owner = Arc::clone(&owner);
            blocking(move || owner.change(&Edit::Together(edits))).await?;
        }
        Ok(ControlReply::Tool { tool: Box::new(self.tool_here(&owner, tool).await?) })
    }

    /// Takes a key, and keeps it for the tool.
    pub(super) async fn keep_login(
        &self,
        owner: Arc<SettingsOwner>,
        tool: ToolName,
        key: &SecretText,
        check: bool,
    ) -> Result<ControlReply, ControlError> {
        let adapter = owner.registry.get(&tool).ok_or_else(|| unknown(&owner, &tool))?;
        let settings = owner.current().of_tools().remove(&tool).unwrap_or_default();
        let taken = adapter.take_key(key.expose(), &settings, check).await;
        let taken = taken.map_err(|error| ControlError::Refused { message: error.to_string() })?;
        let place = {
            let (owner, tool, key) = (Arc::clone(&owner), tool.clone(), taken.key);
            blocking(move || owner.keep_key(&tool, key)).await?
        };
        let tool = self.tool_here(&owner, &tool).await?;
        let login = LoggedIn { address: taken.address, models: taken.models, place, tool };
        Ok(ControlReply::LoggedIn { login: Box::new(login) })
    }

    /// Forgets the key of a tool.
    pub(super) async fn forget_login(
        &self,
        owner: Arc<SettingsOwner>,
        tool: ToolName,
    ) -> Result<ControlReply, ControlError> {
        known(&owner, &tool)?;
        let was_kept = {
            let (owner, tool) = (Arc::clone(&owner), tool.clone());
            blocking(move || owner.forget_key(&tool)).await?
        };
        if !was_kept {
            return Err(ControlError::Refused { message: format!("the worker keeps no key for {tool}") });
        }
        Ok(ControlReply::Tool { tool: Box::new(self.tool_here(&owner, &tool).await?) })
    }
}

/// Does what may block where that is allowed.
pub(super) async fn blocking<T: Send + 'static, E: std::error::Error + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ControlError> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            ControlError::Refused { message: format!("{error}{cause}") }
        }),
        Err(_) => Err(ControlError::Stopped),
    }
}

fn known(owner: &SettingsOwner, tool: &ToolName) -> Result<(), ControlError> {
    owner.registry.get(tool).map(drop).ok_or_else(|| unknown(owner, tool))
}

fn unknown(owner: &SettingsOwner, tool: &ToolName) -> ControlError {
    let names: Vec<_> = owner.registry.names().map(ToolName::as_str).collect();
    ControlError::Refused { message: format!("there is no tool \"{tool}\"; there are {}", names.join(", ")) }
}

/// The change of an entry in the section of the tool.
fn edit(tool: &ToolName, change: ToolChange) -> Result<Edit, ControlError> {
    let ToolChange { key, value } = change;
    let first = key.split('.').next().unwrap_or_default().trim();
    if first != ENABLED && !ToolSettings::KEYS.contains(&first) {
        let keys = [&[ENABLED][..], &ToolSettings::KEYS].concat().join(", ");
        return Err(ControlError::Refused { message: format!("a tool has no setting \"{first}\"; there are {keys}") });
    }
    let is_list = ToolSettings::LISTS.contains(&first);
    let key = format!("tools.{tool}.{key}");
    Ok(match value {
        None => Edit::Unset { key },
        // A single entry needs no brackets.
        Some(value) if is_list && !value.trim_start().starts_with('[') => Edit::Set { key, value: list_of(&value) },
        Some(value) => Edit::Set { key, value },
    })
}

/// The one setting of a tool that is the agent's own.
const ENABLED: &str = "enabled";
