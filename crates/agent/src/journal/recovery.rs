//! What an agent finds of earlier processes when it starts, and when a folder of a run goes.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use swarm_model::Timestamp;
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::adapter::mark_prefix;
use swarm_tools::guard::sweep_marked;

use super::{Closing, RunFolder, lines};
use crate::ledger::{Entry, Ledger};
use crate::settings::Keep;

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
pub(crate) fn recover(runs_dir: &Path, ledger: &Ledger, now: Timestamp) -> io::Result<Vec<Recovered>> {
    let mut recovered = Vec::new();
    for folder in folders(runs_dir)? {
        if folder.closed().is_some() {
            continue;
        }
        let Ok(assignment) = folder.assignment() else {
            // Killed before the attempt was accepted: nobody was promised anything.
            remove(&folder);
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

/// Removes closed folders that are old enough. Blocks.
pub(crate) fn clean_up(runs_dir: &Path, keep: Keep, now: Timestamp) -> io::Result<usize> {
    let mut n_removed = 0;
    for folder in folders(runs_dir)? {
        let is_old = folder.closed().is_some_and(|closed| now.since(closed.at) >= keep.span(closed.failed));
        if is_old {
            n_removed += usize::from(remove(&folder));
        }
    }
    Ok(n_removed)
}

/// Removes closed folders before their time, good ones and old ones first, until there is room. Blocks.
pub(crate) fn make_room(runs_dir: &Path, has_room: impl Fn() -> bool) -> io::Result<usize> {
    let mut closed: Vec<_> =
        folders(runs_dir)?.into_iter().filter_map(|folder| Some((folder.closed()?, folder))).collect();
    closed.sort_by_key(|(closed, _)| (closed.failed, closed.at));
    let mut n_removed = 0;
    for (_, folder) in closed {
        if has_room() {
            break;
        }
        n_removed += usize::from(remove(&folder));
    }
    Ok(n_removed)
}

fn folders(runs_dir: &Path) -> io::Result<Vec<RunFolder>> {
    let entries = match fs::read_dir(runs_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // The folder may be the owner's own choice: what does not look like ours is not touched.
        if entry.file_type()?.is_dir() && is_ours(&entry.file_name().to_string_lossy()) {
            found.push(RunFolder { path: entry.path() });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
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

fn remove(folder: &RunFolder) -> bool {
    match fs::remove_dir_all(&folder.path) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, folder = %folder.path.display(), "the folder of a run was not removed");
            false
        }
    }
}
