//! What an agent finds of earlier processes when it starts.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use swarm_model::Timestamp;
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::adapter::mark_prefix;
use swarm_tools::guard::sweep_marked;

use super::{Closing, RunFolder, finish, lines};
use crate::ledger::{Entry, Ledger};
use crate::worktree::Mirrors;

/// An attempt that an earlier process finished and whose result was not acknowledged.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) folder: RunFolder,
    pub(crate) assignment: Assignment,
    pub(crate) result: AttemptResult,
    /// Lines in its journal.
    pub(crate) lines: u64,
}

/// Goes through the folders of earlier processes: gives what they finished, and closes what they did not,
/// after the end of whatever processes are left of it. Blocks.
/// What they did for other people is counted, unless it was.
pub(crate) fn recover(
    runs_dir: &Path,
    mirrors: &Mirrors,
    ledger: &Ledger,
    now: Timestamp,
) -> io::Result<Vec<Recovered>> {
    let mut recovered = Vec::new();
    for gone in named(runs_dir, |name| name.strip_suffix(".gone").is_some_and(is_ours))? {
        if let Err(error) = finish(&gone, mirrors) {
            tracing::warn!(%error, folder = %gone.display(), "the folder of a run was not removed");
        }
    }
    for folder in folders(runs_dir)? {
        if folder.closed().is_some() {
            continue;
        }
        let Ok(assignment) = folder.assignment() else {
            // Killed before the attempt was accepted: nobody was promised anything.
            folder.remove(mirrors);
            continue;
        };
        // The guard ends them by itself, but may need its grace; and it may have been killed too.
        let n_swept = sweep_marked(&mark_prefix(assignment.task_id, assignment.attempt))?;
        if n_swept > 0 {
            tracing::warn!(task = %assignment.number, attempt = assignment.attempt, n_swept, "processes of an earlier run were left and are ended");
        }
        let result = folder.result();
        if !assignment.by_owner {
            let usage = result.as_ref().map_or_else(|| folder.reported(), |result| result.record.usage.clone());
            let Assignment { user_id, tool, .. } = &assignment;
            let (attempt, cost_microusd) = (assignment.attempt_ref(), usage.cost_microusd.unwrap_or(0));
            let entry = Entry { attempt, user_id: *user_id, tool: tool.clone(), runs: 1, cost_microusd };
            if let Err(error) = ledger.enter(entry, now) {
                tracing::warn!(%error, task = %assignment.number, "what this run used is counted only until the worker stops");
            }
        }
        if let Some(result) = result {
            let lines = lines::mend(&folder.journal())?;
            recovered.push(Recovered { folder, assignment, result, lines });
            continue;
        }
        tracing::warn!(task = %assignment.number, attempt = assignment.attempt, "the agent died in the middle of this run");
        for rest in ["tmp", "control"] {
            // They go with the folder where they cannot go now.
            drop(fs::remove_dir_all(folder.path.join(rest)));
        }
        folder.close(Closing::Lost, true, now)?;
    }
    Ok(recovered)
}

/// The folders of all runs. Blocks.
pub(crate) fn folders(runs_dir: &Path) -> io::Result<Vec<RunFolder>> {
    Ok(named(runs_dir, is_ours)?.into_iter().map(|path| RunFolder { path }).collect())
}

/// Folders in the order of their names. The folder may be the owner's own choice: what does not look like ours is
/// not touched.
fn named(runs_dir: &Path, is_meant: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_meant(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name has the form `<number>-<attempt>-<short id>`.
fn is_ours(name: &str) -> bool {
    let mut parts = name.split('-');
    let mut digits = || parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let numbered = digits() && digits();
    let id = parts.next();
    numbered
        && id.is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        && parts.next().is_none()
}
