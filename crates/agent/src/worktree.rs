//! Working folders from repositories: a mirror for each person and repository, and of it a working tree for each run.
//!
//! A mirror is a bare repository in `mirrors/` of the data folder. Runs share its objects and its branches, and no
//! more: its settings are written anew before every use, for whoever works in a tree can write them, and what git
//! reads there it does. A run's tree is on a branch of its own, `garageswarm/<task>-<attempt>`. Everything that asks
//! the network runs under a lock of the mirror, with a bound, and ends with the cancel of its task.

mod checkout;
mod git;
mod harvest;
mod mirror;
mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, UserId};
use swarm_proto::worker::Assignment;
use swarm_tools::adapter::mark_prefix;
use tokio::time::Instant;

pub(crate) use self::checkout::{Checkout, forget, noted};
pub(crate) use self::git::GitError;
pub(crate) use self::harvest::Harvest;
pub(crate) use self::mirror::Mirror;
use self::source::Source;

/// How long a repository may take to come, where the task sets no limit.
const CLONE_TIME: Duration = Duration::from_hours(1);
/// How long anything may take that asks nobody.
const LOCAL_TIME: Duration = Duration::from_mins(10);

/// The mirrors of a worker.
#[derive(Debug)]
pub(crate) struct Mirrors {
    folder: PathBuf,
    /// By the key of the mirror: when the last fetch that succeeded began. One at a time holds it.
    fetched: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Instant>>>>>,
}

/// The repository that a run works on.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    source: Source,
    base: Option<String>,
    user_id: UserId,
    branch: String,
    mark: String,
}

/// Why there is no working tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoTree {
    /// Somebody asked for the end.
    Cancelled,
    /// It failed.
    Failed {
        /// What that means for the next try.
        class: FailureClass,
        /// A sentence for people.
        error: String,
    },
}

impl Wanted {
    /// What a task wants, or why this machine does not have it; none where it names no repository.
    pub(crate) fn of(assignment: &Assignment) -> Result<Option<Self>, RefusalReason> {
        let Some(repository) = &assignment.repository else { return Ok(None) };
        let source = Source::parse(&repository.url, assignment.by_owner)?;
        let base = repository.base.as_deref().map(source::base).transpose()?;
        if git::program().is_none() {
            let detail = "git is not installed on it, or not on the PATH of its worker".to_owned();
            return Err(RefusalReason::RepositoryOutOfReach { detail });
        }
        let Assignment { task_id, number, attempt, user_id, .. } = assignment;
        Ok(Some(Self {
            source,
            base,
            user_id: *user_id,
            branch: format!("garageswarm/{number}-{attempt}"),
            mark: format!("{}git", mark_prefix(*task_id, *attempt)),
        }))
    }
}

impl Mirrors {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("mirrors"), fetched: Mutex::default() }
    }

    /// The mirror of this name.
    pub(crate) fn named(&self, key: &str) -> Mirror {
        Mirror::new(&self.folder, key)
    }

    /// What a run that works on this may write beside its working folder.
    pub(crate) fn git_dir_of(&self, wanted: &Wanted) -> PathBuf {
        self.named(&Mirror::key_of(wanted.user_id, &wanted.source)).git_dir()
    }

    /// Every mirror that there is.
    pub(crate) fn all(&self) -> std::io::Result<Vec<Mirror>> {
        mirror::all(&self.folder)
    }

    /// Removes what a killed process left halfway. Blocks; nobody may be at work in a tree.
    pub(crate) fn mend(&self) -> std::io::Result<()> {
        self.all()?.iter().try_for_each(Mirror::mend)
    }

    /// Removes a mirror, unless somebody is at it. Blocks.
    pub(crate) fn remove(&self, mirror: &Mirror) -> std::io::Result<bool> {
        let lock = self.lock_of(mirror.key());
        let Ok(_alone) = lock.try_lock() else { return Ok(false) };
        mirror.remove()?;
        Ok(true)
    }

    fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<Option<Instant>>> {
        let mut locks = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(key.to_owned()).or_default())
    }
}

/// What may take its time on a disk, on a thread that may wait for it.
async fn off<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

impl NoTree {
    fn failed(class: FailureClass, error: impl Into<String>) -> Self {
        Self::Failed { class, error: error.into() }
    }
}

impl From<GitError> for NoTree {
    fn from(error: GitError) -> Self {
        let class = match &error {
            GitError::Cancelled => return Self::Cancelled,
            GitError::Missing => FailureClass::ToolMissing,
            GitError::TimedOut { .. } => FailureClass::TimedOut,
            GitError::Io(_) | GitError::Failed { .. } | GitError::TooMuch { .. } => FailureClass::ProcessFailed,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::failed(class, format!("the working folder cannot be made: {error}{cause}"))
    }
}

impl From<std::io::Error> for NoTree {
    fn from(error: std::io::Error) -> Self {
        GitError::Io(error).into()
    }
}

#[cfg(test)]
mod tests;
