//! Keys of tools that their owner gave to the worker: kept by the host, held here while an agent lives, and put into
//! the settings of their tools in memory alone.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use swarm_model::ToolName;
use swarm_tools::KeptKey;

use super::{Settings, SettingsOwner};
use crate::host::{Host, HostError, SecretPlace};

/// The keys of all tools that have one, and where each is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptKeys(BTreeMap<ToolName, (KeptKey, SecretPlace)>);

impl KeptKeys {
    /// Asks the host. A key that it does not give out is one all the same: no other may be used in its place
    /// unnoticed. Blocks.
    pub(crate) fn read<'a>(host: &dyn Host, tools: impl IntoIterator<Item = &'a ToolName>) -> Self {
        let mut keys = BTreeMap::new();
        for tool in tools {
            let name = secret_name(tool);
            let place = match host.secret_place(&name) {
                Ok(Some(place)) => place,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%tool, error = &error as &dyn std::error::Error, "whether a key is kept cannot be seen");
                    continue;
                }
            };
            let key = match host.secret(&name) {
                Ok(Some(text)) => KeptKey::from_secret(&text),
                Ok(None) => continue,
                Err(error) => {
                    let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                    tracing::warn!(%tool, why, "the key of a tool is out of reach");
                    KeptKey::out_of_reach(why)
                }
            };
            keys.insert(tool.clone(), (key, place));
        }
        Self(keys)
    }

    /// The settings with each key at its tool, and none where there is none.
    pub(crate) fn put_into(&self, mut settings: Settings) -> Settings {
        for section in settings.tools.values_mut() {
            section.settings.kept_key = None;
        }
        for (tool, (key, _)) in &self.0 {
            settings.tools.entry(tool.clone()).or_default().settings.kept_key = Some(key.clone());
        }
        settings
    }

    /// Where the key of a tool is kept.
    pub(crate) fn place(&self, tool: &ToolName) -> Option<SecretPlace> {
        self.0.get(tool).map(|(_, place)| *place)
    }
}

impl SettingsOwner {
    /// Where the key of a tool is kept.
    pub(crate) fn key_place(&self, tool: &ToolName) -> Option<SecretPlace> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).place(tool)
    }

    /// Keeps a key in place of an earlier one; it counts at once. Blocks.
    pub(crate) fn keep_key(&self, tool: &ToolName, key: KeptKey) -> Result<SecretPlace, HostError> {
        let _turn = self.turn();
        let name = secret_name(tool);
        let secret = key.to_secret().ok_or_else(|| HostError::new(&name, "there is nothing to keep"))?;
        let place = self.host.set_secret(&name, &secret)?;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).0.insert(tool.clone(), (key, place));
        self.publish(Settings::clone(&self.current()));
        Ok(place)
    }

    /// Forgets the key of a tool; tells whether there was one. Blocks.
    pub(crate) fn forget_key(&self, tool: &ToolName) -> Result<bool, HostError> {
        let _turn = self.turn();
        self.host.forget_secret(&secret_name(tool))?;
        let was_kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).0.remove(tool).is_some();
        self.publish(Settings::clone(&self.current()));
        Ok(was_kept)
    }
}

impl Settings {
    /// These settings with the keys that the host keeps for their tools, for whoever looks without an agent. Blocks.
    pub fn with_kept_keys<'a>(self, host: &dyn Host, tools: impl IntoIterator<Item = &'a ToolName>) -> Self {
        KeptKeys::read(host, tools).put_into(self)
    }
}

/// Where the host keeps keys of these tools, for whoever looks without an agent; no key is read. Blocks.
pub fn kept_key_places<'a>(
    host: &dyn Host,
    tools: impl IntoIterator<Item = &'a ToolName>,
) -> Vec<(ToolName, SecretPlace)> {
    let place = |tool: &ToolName| host.secret_place(&secret_name(tool)).ok().flatten();
    tools.into_iter().filter_map(|tool| Some((tool.clone(), place(tool)?))).collect()
}

/// How the host names the key of a tool. Its data folder, which is joined to one coordinator at a time, is part of the
/// name that it has in a keychain.
fn secret_name(tool: &ToolName) -> String {
    format!("tool-key-{tool}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use swarm_tools::{GuardBinary, Registry, Variables};
    use tokio::sync::watch;

    use super::*;
    use crate::control::{AgentStatus, LinkStatus};
    use crate::host::FileHost;
    use crate::settings::Edit;

    fn owner(folder: &std::path::Path) -> SettingsOwner {
        let registry = Registry::standard(&Variables::default());
        let settings = Settings::load_or_create(folder, registry.names()).unwrap();
        let host = FileHost::new(folder, GuardBinary("guard".into()));
        let keys = KeptKeys::read(&host, registry.names());
        let status: AgentStatus = serde_json::from_value(serde_json::json!({
            "name": "", "worker_id": null, "coordinator": null, "link": LinkStatus::Connecting, "draining": false,
            "pauses": { "by_owner": false, "by_coordinator": false }, "slots": 1, "running": [], "unacknowledged": 0,
            "tools": [], "grants": [], "used_today": [],
        }))
        .unwrap();
        SettingsOwner::new(Arc::new(host), registry, keys, settings, watch::Sender::new(status))
    }

    #[test]
    fn a_key_counts_at_once_outlives_the_agent_and_stands_in_no_settings() {
        let folder = tempfile::tempdir().unwrap();
        let tool: ToolName = "openai-api".parse().unwrap();
        let key = KeptKey::from_secret("{\"address\":\"https://x.example/\",\"key\":\"sk-secret\"}");
        let kept = |owner: &SettingsOwner| {
            let section = owner.current().tools.get(&tool).cloned().unwrap_or_default();
            section.settings.kept_key
        };
        let first = owner(folder.path());
        assert_eq!(first.keep_key(&tool, key.clone()).unwrap(), SecretPlace::File);
        assert_eq!((kept(&first), first.key_place(&tool)), (Some(key.clone()), Some(SecretPlace::File)));
        // Other changes of the settings leave it, and write it nowhere.
        first.change(&Edit::Set { key: "slots".to_owned(), value: "3".to_owned() }).unwrap();
        assert_eq!(kept(&first), Some(key.clone()));
        let shown = serde_json::to_string(&first.preferences()).unwrap();
        let written = std::fs::read_to_string(folder.path().join("worker.toml")).unwrap();
        assert!(!shown.contains("sk-secret") && !written.contains("sk-secret"), "{shown} {written}");

        let second = owner(folder.path());
        assert_eq!(kept(&second), Some(key));
        assert!(second.forget_key(&tool).unwrap() && !second.forget_key(&tool).unwrap());
        assert_eq!((kept(&second), kept(&owner(folder.path()))), (None, None));
    }

    #[test]
    fn what_breaks_an_adapter_is_not_written_and_keeps_nobody_from_other_changes() {
        let folder = tempfile::tempdir().unwrap();
        let set = |key: &str, value: &str| Edit::Set { key: key.to_owned(), value: value.to_owned() };
        let refused = owner(folder.path()).change(&set("tools.codex.args", "[\"--json\"]")).unwrap_err();
        assert!(refused.to_string().contains("--json"), "{refused}");
        std::fs::write(folder.path().join("worker.toml"), "[tools.codex]\nargs = [\"--json\"]\n").unwrap();
        owner(folder.path()).change(&set("slots", "3")).unwrap();
        assert!(owner(folder.path()).change(&set("tools.codex.model", "x")).is_err());
    }
}
