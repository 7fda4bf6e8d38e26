//! What the owner of a machine decides about its worker: `worker.toml` in the data folder.
//!
//! Read and written by the agent alone (`owner`), which changes an entry and leaves the rest as its owner wrote
//! it (`edit`); a change by hand counts at the next start, or with the next change through the agent. An entry
//! that is not known is refused with file and line: a typing mistake must not open a tool.

mod edit;
mod grant;
mod keys;
mod owner;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use swarm_model::{Isolation, ToolName, UserId};
use swarm_tools::{Confinement, ToolSettings};

pub use self::edit::EditError;
pub(crate) use self::edit::{Edit, keep_changes, list_of};
pub use self::grant::{Dollars, Grant, Grantee, ParseDollarsError};
pub(crate) use self::keys::KeptKeys;
pub use self::keys::kept_key_places;
pub(crate) use self::owner::SettingsOwner;
pub use self::owner::{Changed, Preferences};
use crate::durable;
use crate::machine::host_name;

const FILE: &str = "worker.toml";
const MAX_SLOTS: u32 = 1024;
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
    /// MiB that everything may take that this worker keeps; without bounds where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_disk_mb: Option<u64>,
    /// MiB that a run may write where its task sets no limit.
    pub max_output_mb: u64,
    /// Words by which tasks may ask for this machine.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How long folders of runs are kept.
    pub keep: Keep,
    /// Which files of a run are kept by the coordinator.
    pub artifacts: ArtifactLimits,
    /// How far tasks of the owner are kept away from the machine, at least; those of others always run in a sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// What a sandbox shows of the machine besides.
    #[serde(skip_serializing_if = "SandboxSection::is_empty")]
    pub sandbox: SandboxSection,
    /// Tool by tool.
    pub tools: BTreeMap<ToolName, ToolSection>,
    /// Who besides the owner may use which tool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// How long folders of runs are kept after the coordinator has the result, and mirrors after their last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Hours.
    pub hours: u64,
    /// Hours, where the run gave no result.
    pub failed_hours: u64,
    /// Hours, for the mirror of a repository.
    pub mirror_hours: u64,
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

/// What a sandbox shows of the machine beside the system's programs and the run's own folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxSection {
    /// Files and folders that runs may read: `~/.cargo/bin`, for instance.
    pub read: Vec<PathBuf>,
    /// The same, to be written too.
    pub write: Vec<PathBuf>,
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
    /// What was said at the start does not fit into what the file says.
    #[error("what was said at the start cannot be kept in the settings")]
    Unchangeable(#[source] Box<EditError>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            slots: None,
            paused: false,
            work_dir: None,
            min_free_disk_mb: 1024,
            max_disk_mb: None,
            max_output_mb: 256,
            labels: BTreeMap::new(),
            keep: Keep::default(),
            artifacts: ArtifactLimits::default(),
            isolation: None,
            sandbox: SandboxSection::default(),
            tools: BTreeMap::new(),
            grants: Vec::new(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { hours: 24, failed_hours: 7 * 24, mirror_hours: 30 * 24 }
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
        Self::parse(&text, &path, known)
    }

    /// Reads the settings and changes nothing; none where there are none yet.
    pub fn read<'a>(
        data_dir: &Path,
        known: impl IntoIterator<Item = &'a ToolName>,
    ) -> Result<Option<Self>, SettingsError> {
        let path = data_dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path, known).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SettingsError::File { path, source }),
        }
    }

    fn parse<'a>(
        text: &str,
        path: &Path,
        known: impl IntoIterator<Item = &'a ToolName>,
    ) -> Result<Self, SettingsError> {
        let invalid = |place: usize, message: String| SettingsError::Invalid {
            path: path.to_owned(),
            line: line_of(text, place),
            message,
        };
        let settings: Self = toml::from_str(text)
            .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        settings.check(known).map_err(|(named, message)| invalid(text.find(&named).unwrap_or(0), message))?;
        Ok(settings)
    }

    /// What types do not tell: gives what to look for in the file, and what is wrong with it.
    fn check<'a>(&self, known: impl IntoIterator<Item = &'a ToolName>) -> Result<(), (String, String)> {
        let known: Vec<&ToolName> = known.into_iter().collect();
        let names = || known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let no_tool = |name: &ToolName| format!("there is no tool \"{name}\"; there are {}", names());
        if self.slots.is_some_and(|slots| !(1..=MAX_SLOTS).contains(&slots)) {
            return Err(("slots".to_owned(), format!("slots is a number from 1 to {MAX_SLOTS}")));
        }
        if self.max_disk_mb == Some(0) {
            let message = "max_disk_mb is at least 1; without a bound, leave it out".to_owned();
            return Err(("max_disk_mb".to_owned(), message));
        }
        if self.isolation == Some(Isolation::None) {
            return Err(("isolation".to_owned(), "isolation is own, sandbox or container".to_owned()));
        }
        let mut paths = self.sandbox.read.iter().chain(&self.sandbox.write);
        if let Some(path) = paths.find(|path| !(path.is_absolute() || path.starts_with("~"))) {
            let path = path.display().to_string();
            return Err((path.clone(), format!("{path} is neither absolute nor below ~")));
        }
        if let Some(name) = self.tools.keys().find(|name| !known.contains(name)) {
            return Err((format!("tools.{name}"), no_tool(name)));
        }
        for (index, grant) in self.grants.iter().enumerate() {
            if !known.contains(&&grant.tool) {
                return Err((format!("\"{}\"", grant.tool), no_tool(&grant.tool)));
            }
            if grant.slots == Some(0) {
                return Err(("slots = 0".to_owned(), "a grant without slots grants nothing; remove it".to_owned()));
            }
            let is_same = |other: &Grant| other.tool == grant.tool && other.user == grant.user;
            if self.grants[..index].iter().any(is_same) {
                let message = format!("{} is granted to {} twice", grant.tool, grant.user);
                return Err((grant.user.to_string(), message));
            }
        }
        Ok(())
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

    /// Bytes that everything may take that this worker keeps.
    pub(crate) fn max_disk(&self) -> Option<u64> {
        self.max_disk_mb.map(|mb| mb.saturating_mul(1024 * 1024))
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

    /// The grant by which somebody else may use a tool: their own before the one for everyone.
    pub fn grant_for(&self, tool: &ToolName, user: UserId) -> Option<&Grant> {
        let of = |who: Grantee| self.grants.iter().find(move |grant| grant.tool == *tool && grant.user == who);
        of(Grantee::User(user)).or_else(|| of(Grantee::Everyone))
    }

    /// These settings with everything filled in that counts where nothing is set. Values that are added to the
    /// environment of tools may be keys, and are left out.
    pub(crate) fn effective<'a>(&self, data_dir: &Path, known: impl IntoIterator<Item = &'a ToolName>) -> Self {
        let mut all = self.clone();
        all.name.get_or_insert_with(host_name);
        all.slots = Some(self.slots());
        all.work_dir = Some(self.runs_dir(data_dir));
        all.isolation.get_or_insert_default();
        for tool in known {
            all.enable(tool.clone(), self.is_enabled(tool));
        }
        all.tools.values_mut().for_each(|section| section.settings.hide_variables());
        all
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

    /// How far a run at this level is kept away, as the owner has set it. Of `data_dir`, of other runs and of the home
    /// a sandbox shows nothing.
    pub fn confinement(&self, level: Isolation, data_dir: &Path) -> Confinement {
        let home = std::env::home_dir();
        let real = |path: &PathBuf| match (path.strip_prefix("~"), &home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.clone(),
        };
        Confinement {
            level,
            read: self.sandbox.read.iter().map(real).collect(),
            write: self.sandbox.write.iter().map(real).collect(),
            hidden: [data_dir.to_owned(), self.runs_dir(data_dir)].into_iter().chain(home.clone()).collect(),
            ..Confinement::default()
        }
    }
}

impl SandboxSection {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Keep {
    /// How long the folder of a run is kept.
    pub(crate) fn span(self, failed: bool) -> Duration {
        Duration::from_secs(60 * 60 * if failed { self.failed_hours } else { self.hours })
    }

    /// How long a mirror is kept that nobody uses.
    pub(crate) fn mirror_span(self) -> Duration {
        Duration::from_secs(60 * 60 * self.mirror_hours)
    }
}

fn line_of(text: &str, place: usize) -> usize {
    1 + text.as_bytes().iter().take(place).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
