//! What the owner of a machine decides about its worker: `worker.toml` in the data folder.
//!
//! Read and written by the agent alone; a change from elsewhere counts at the next start. An entry that is not
//! known is refused with file and line: a typing mistake must not open a tool.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use swarm_model::{ToolName, UserId};
use swarm_tools::ToolSettings;

use crate::durable;

const FILE: &str = "worker.toml";
const HEADER: &str = "# Settings of this machine's worker. Read at its start, and written by it.\n\n";

/// The settings of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What people call the machine; its host name where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Runs at once; see [`Settings::slots`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Whether the owner paused the machine.
    pub paused: bool,
    /// Where the folders of runs are made; `runs` in the data folder where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<PathBuf>,
    /// MiB that must be free on that volume before a run begins.
    pub min_free_disk_mb: u64,
    /// MiB that a run may write where its task sets no limit.
    pub max_output_mb: u64,
    /// Words by which tasks may ask for this machine.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How long folders of runs are kept.
    pub keep: Keep,
    /// Which files of a run are kept by the coordinator.
    pub artifacts: ArtifactLimits,
    /// Tool by tool.
    pub tools: BTreeMap<ToolName, ToolSection>,
    /// Who besides the owner may use which tool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// How long folders of runs are kept after the coordinator has the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Hours.
    pub hours: u64,
    /// Hours, where the run gave no result.
    pub failed_hours: u64,
}

/// Bounds on what a run leaves behind in its working folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArtifactLimits {
    /// Files.
    pub max_files: usize,
    /// MiB of each file.
    pub max_file_mb: u64,
    /// MiB of all files.
    pub max_total_mb: u64,
}

/// One tool: whether it may be used, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct ToolSection {
    /// Whether it may be used; where this is not set, every tool but `command` may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How.
    #[serde(flatten)]
    pub settings: ToolSettings,
}

/// Somebody besides the owner may use a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which tool.
    pub tool: ToolName,
    /// Who.
    pub user: UserId,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is out of reach.
    #[error("{path} cannot be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An entry is wrong.
    #[error("{path}, line {line}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The settings cannot be written as TOML.
    #[error("the settings cannot be written")]
    Unwritable(#[from] toml::ser::Error),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            slots: None,
            paused: false,
            work_dir: None,
            min_free_disk_mb: 1024,
            max_output_mb: 256,
            labels: BTreeMap::new(),
            keep: Keep::default(),
            artifacts: ArtifactLimits::default(),
            tools: BTreeMap::new(),
            grants: Vec::new(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { hours: 24, failed_hours: 7 * 24 }
    }
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        Self { max_files: 64, max_file_mb: 16, max_total_mb: 64 }
    }
}

impl TryFrom<toml::Table> for ToolSection {
    type Error = toml::de::Error;

    /// By hand, because serde would let unknown entries pass beside a flattened struct.
    fn try_from(mut table: toml::Table) -> Result<Self, Self::Error> {
        let enabled = table.remove("enabled").map(bool::deserialize).transpose()?;
        Ok(Self { enabled, settings: ToolSettings::deserialize(table)? })
    }
}

impl Settings {
    /// Reads the settings; at the first start writes the defaults, so that people find what they can change.
    /// `known` are the tools of this build.
    pub fn load_or_create<'a>(
        data_dir: &Path,
        known: impl IntoIterator<Item = &'a ToolName>,
    ) -> Result<Self, SettingsError> {
        let path = data_dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut settings = Self::default();
                if let Ok(command) = ToolName::COMMAND.parse() {
                    settings.tools.insert(command, ToolSection { enabled: Some(false), ..ToolSection::default() });
                }
                settings.save(data_dir)?;
                return Ok(settings);
            }
            Err(source) => return Err(SettingsError::File { path, source }),
        };
        let settings: Self = toml::from_str(&text).map_err(|error| SettingsError::Invalid {
            path: path.clone(),
            line: error.span().map_or(1, |span| line_of(&text, span.start)),
            message: error.message().to_owned(),
        })?;
        let known: Vec<&ToolName> = known.into_iter().collect();
        let unknown = settings.tools.keys().find(|name| !known.contains(name));
        unknown.map_or(Ok(()), |name| {
            let names: Vec<_> = known.iter().map(|name| name.as_str()).collect();
            let place = text.find(&format!("tools.{name}")).unwrap_or(0);
            Err(SettingsError::Invalid {
                path,
                line: line_of(&text, place),
                message: format!("there is no tool \"{name}\"; there are {}", names.join(", ")),
            })
        })?;
        Ok(settings)
    }

    /// Writes the settings in one step.
    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), SettingsError> {
        let path = data_dir.join(FILE);
        let text = format!("{HEADER}{}", toml::to_string_pretty(self)?);
        durable::replace(&path, text.as_bytes()).map_err(|source| SettingsError::File { path, source })
    }

    /// Runs at once: as set, else half the processors, at least 2 and at most 8. A run mostly waits for a model.
    pub fn slots(&self) -> u32 {
        self.slots.unwrap_or_else(|| {
            let n_cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            u32::try_from(n_cpus / 2).unwrap_or(8).clamp(2, 8)
        })
    }

    /// Whether the owner lets a tool be used at all. `command` must be switched on.
    pub fn is_enabled(&self, tool: &ToolName) -> bool {
        let set = self.tools.get(tool).and_then(|section| section.enabled);
        set.unwrap_or(tool.as_str() != ToolName::COMMAND)
    }

    /// Lets a tool be used, or no longer.
    pub fn enable(&mut self, tool: ToolName, enabled: bool) {
        self.tools.entry(tool).or_default().enabled = Some(enabled);
    }

    /// Whether the owner granted a tool to somebody else.
    pub fn is_granted(&self, tool: &ToolName, user: UserId) -> bool {
        self.grants.iter().any(|grant| grant.tool == *tool && grant.user == user)
    }

    /// The part of the tools' own settings.
    pub(crate) fn of_tools(&self) -> BTreeMap<ToolName, ToolSettings> {
        self.tools.iter().map(|(name, section)| (name.clone(), section.settings.clone())).collect()
    }

    /// Where the folders of runs are.
    pub(crate) fn runs_dir(&self, data_dir: &Path) -> PathBuf {
        // A relative folder is meant from the data folder; an absolute one replaces it.
        self.work_dir.as_deref().map_or_else(|| data_dir.join("runs"), |folder| data_dir.join(folder))
    }
}

impl Keep {
    /// How long the folder of a run is kept.
    pub(crate) fn span(self, failed: bool) -> Duration {
        Duration::from_secs(60 * 60 * if failed { self.failed_hours } else { self.hours })
    }
}

fn line_of(text: &str, place: usize) -> usize {
    1 + text.as_bytes().iter().take(place).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
