//! The one who writes `worker.toml` while an agent lives, whoever asks for it.
//!
//! A change is on the disk before it counts, and counts before its answer. Changes come one after the other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use swarm_model::ToolName;
use swarm_tools::Registry;
use tokio::sync::watch;

use super::edit::{self, Edit, EditError};
use super::keys::KeptKeys;
use super::{FILE, Settings, SettingsError};
use crate::control::AgentStatus;
use crate::host::Host;

/// What the settings are, with everything filled in that counts where nothing is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// The file that holds what is set.
    pub file: PathBuf,
    /// The effective settings.
    pub settings: Settings,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// How the settings are now.
    #[serde(flatten)]
    pub preferences: Preferences,
    /// What of the change does not count yet, each in a sentence.
    pub later: Vec<String>,
}

/// Holds the settings of a living agent.
#[derive(Debug)]
pub(crate) struct SettingsOwner {
    pub(super) host: Arc<dyn Host>,
    pub(crate) registry: Registry,
    known: Vec<ToolName>,
    pub(super) keys: Mutex<KeptKeys>,
    current: watch::Sender<Arc<Settings>>,
    status: watch::Sender<AgentStatus>,
    one_at_a_time: Mutex<()>,
}

impl Preferences {
    /// The settings in a data folder, read without its agent; none where there are none yet.
    pub fn read(data_dir: &Path, known: &[ToolName]) -> Result<Option<Self>, SettingsError> {
        Ok(Settings::read(data_dir, known)?.map(|settings| Self::of(&settings, data_dir, known)))
    }

    fn of(settings: &Settings, data_dir: &Path, known: &[ToolName]) -> Self {
        Self { file: data_dir.join(FILE), settings: settings.effective(data_dir, known) }
    }
}

impl SettingsOwner {
    pub(crate) fn new(
        host: Arc<dyn Host>,
        registry: Registry,
        keys: KeptKeys,
        settings: Settings,
        status: watch::Sender<AgentStatus>,
    ) -> Self {
        let known = registry.names().cloned().collect();
        let current = watch::Sender::new(Arc::new(keys.put_into(settings)));
        Self { host, registry, known, keys: Mutex::new(keys), current, status, one_at_a_time: Mutex::new(()) }
    }

    /// What counts now.
    pub(crate) fn current(&self) -> Arc<Settings> {
        Arc::clone(&self.current.borrow())
    }

    /// Follows what counts.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.current.subscribe()
    }

    pub(crate) fn preferences(&self) -> Preferences {
        Preferences::of(&self.current(), self.host.data_dir(), &self.known)
    }

    /// One after the other.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These settings count now, with the keys that are kept.
    pub(super) fn publish(&self, settings: Settings) {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.send_replace(Arc::new(keys.put_into(settings)));
    }

    /// Makes a change, and tells everybody. Blocks: whoever asked may go away, the change is whole all the same.
    pub(crate) fn change(&self, edit: &Edit) -> Result<Changed, EditError> {
        let _turn = self.turn();
        // What was wrong before keeps nobody from changing something else.
        let fits = |before: &Settings, after: &Settings| {
            let (before, mut after) = (before.of_tools(), after.of_tools());
            after.retain(|tool, settings| before.get(tool) != Some(settings));
            self.registry.check(&after)
        };
        let (before, after) = edit::write(self.host.data_dir(), &self.known, edit, fits)?;
        let mut later = Vec::new();
        if before.work_dir != after.work_dir {
            later.push("work_dir counts from the next start of the worker".to_owned());
        }
        if before.name != after.name {
            later.push(
                "the coordinator goes on with the name that it knows: `garageswarm worker rename` changes it there"
                    .to_owned(),
            );
        }
        self.status.send_modify(|status| status.set_preferences(&after));
        self.publish(after);
        Ok(Changed { preferences: self.preferences(), later })
    }
}
