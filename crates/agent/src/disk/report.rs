//! What is on the disk, item by item, with what would be freed and why: for the owner of the machine.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use swarm_model::Timestamp;

use super::{Ended, OTHERS, Storage, bytes_in, mirrors_of, used_at};
use crate::journal::{RunFolder, folders, is_failure};
use crate::machine::free_disk;
use crate::settings::Settings;
use crate::worktree::Mirror;

/// A mirror that was used since then is not freed: the next run would fetch all of it again.
const FRESH: Duration = Duration::from_hours(24);

/// What a worker keeps on its disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReport {
    /// Everything, kind by kind.
    pub items: Vec<DiskItem>,
    /// Bytes of all of it.
    pub used_bytes: u64,
    /// The owner's quota.
    pub max_bytes: Option<u64>,
    /// Bytes free on the volume of the working folders, where the system tells.
    pub volume_free_bytes: Option<u64>,
    /// Bytes of what may be freed.
    pub would_free_bytes: u64,
    /// Bytes that were freed, where that was asked for.
    pub freed_bytes: Option<u64>,
}

/// One thing on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskItem {
    /// Of which kind.
    pub kind: DiskKind,
    /// What people call it: a task and its tool, an address, a tool and its account.
    pub name: String,
    /// How it stands.
    pub state: DiskState,
    /// Since when: ended, or last used.
    pub at: Option<Timestamp>,
    /// What it takes.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it may be freed.
    pub frees: bool,
    /// Why, or why not.
    pub why: String,
}

/// The kinds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    /// The folder of a run.
    Run,
    /// The mirror of a repository.
    Mirror,
    /// What a tool keeps between runs.
    ToolState,
}

/// How something on the disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskState {
    /// It runs.
    Running,
    /// The coordinator does not have the result yet.
    Undelivered,
    /// It was cut short by the end of the worker, and may go on.
    Interrupted,
    /// It gave a result.
    Ended,
    /// It gave none.
    Failed,
    /// A run has a tree of it.
    InUse,
    /// No run has.
    Unused,
    /// It stays.
    Kept,
}

/// An item, and what it is to us.
struct Found {
    item: DiskItem,
    what: What,
}

enum What {
    Run(RunFolder),
    Mirror(Mirror),
    State,
}

impl Storage {
    /// What is there, and what may be freed. Blocks.
    pub(crate) fn report(&self, settings: &Settings, now: Timestamp) -> io::Result<DiskReport> {
        let found = self.found(settings, now)?;
        let items: Vec<_> = found.into_iter().map(|found| found.item).collect();
        Ok(DiskReport {
            used_bytes: items.iter().map(|item| item.bytes).sum(),
            max_bytes: settings.max_disk(),
            volume_free_bytes: free_disk(self.runs_dir()),
            would_free_bytes: items.iter().filter(|item| item.frees).map(|item| item.bytes).sum(),
            freed_bytes: None,
            items,
        })
    }

    /// Frees what may be freed, and tells what is left. Blocks.
    pub(crate) fn free(&self, settings: &Settings, now: Timestamp) -> io::Result<DiskReport> {
        let mut freed = 0;
        for Found { item, what } in self.found(settings, now)?.into_iter().filter(|found| found.item.frees) {
            let is_gone = match what {
                What::Run(folder) => folder.remove(self.mirrors()),
                What::Mirror(mirror) => self.mirrors().remove(&mirror)?,
                What::State => false,
            };
            freed += if is_gone { item.bytes } else { 0 };
        }
        Ok(DiskReport { freed_bytes: Some(freed), ..self.report(settings, now)? })
    }

    fn found(&self, settings: &Settings, now: Timestamp) -> io::Result<Vec<Found>> {
        let mut found: Vec<_> =
            folders(self.runs_dir())?.into_iter().filter_map(|folder| self.run(folder, settings, now)).collect();
        let stays = found.iter().filter(|found| !found.item.frees).filter_map(|found| match &found.what {
            What::Run(folder) => Some(folder),
            What::Mirror(_) | What::State => None,
        });
        let in_use = mirrors_of(stays);
        for mirror in self.mirrors().all()? {
            found.push(mirror_item(mirror, &in_use, now));
        }
        found.extend(self.states());
        Ok(found)
    }

    /// None where the folder is going at this moment.
    fn run(&self, folder: RunFolder, settings: &Settings, now: Timestamp) -> Option<Found> {
        let assignment = folder.assignment().ok()?;
        let path = folder.path().to_owned();
        let name = format!("#{}, attempt {}, {}", assignment.number, assignment.attempt, assignment.tool);
        let item = |state, at, bytes, frees, why: &str| DiskItem {
            kind: DiskKind::Run,
            name,
            state,
            at,
            bytes,
            path,
            frees,
            why: why.to_owned(),
        };
        let item = match (folder.closed(), folder.result()) {
            (None, None) => item(DiskState::Running, None, bytes_in(folder.path()), false, "it runs"),
            (None, Some(_)) => {
                let bytes = bytes_in(folder.path());
                item(DiskState::Undelivered, None, bytes, false, "the coordinator does not have its result yet")
            }
            (Some(closed), result) => {
                let at = Some(closed.at);
                let is_young = now.since(closed.at) < settings.keep.span(closed.failed);
                let interrupted = folder.is_interrupted();
                let bytes = self.bytes_of(&Ended { folder: folder.clone(), closed });
                match (interrupted, result) {
                    (true, _) if is_young => {
                        item(DiskState::Interrupted, at, bytes, false, "the task may come back and go on in it")
                    }
                    (true, _) => item(DiskState::Interrupted, at, bytes, true, "the task did not come back to it"),
                    (false, Some(result)) if is_failure(&result.outcome) => {
                        item(DiskState::Failed, at, bytes, true, "it failed, and the coordinator knows")
                    }
                    (false, _) => item(DiskState::Ended, at, bytes, true, "the coordinator has its result"),
                }
            }
        };
        Some(Found { item, what: What::Run(folder) })
    }

    fn states(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let state = self.data_dir.join("state");
        let (others, owners): (Vec<_>, Vec<_>) =
            subfolders(&state).into_iter().partition(|folder| name(folder) == OTHERS);
        let of_others = others.iter().flat_map(|others| subfolders(others)).flat_map(|user| {
            let whose = format!(", of {}", name(&user));
            subfolders(&user).into_iter().map(move |tool| (tool, whose.clone()))
        });
        for (tool, whose) in owners.into_iter().map(|tool| (tool, String::new())).chain(of_others) {
            for account in subfolders(&tool) {
                let item = DiskItem {
                    kind: DiskKind::ToolState,
                    name: format!("{}, account {}{whose}", name(&tool), name(&account)),
                    state: DiskState::Kept,
                    at: None,
                    bytes: bytes_in(&account),
                    path: account,
                    frees: false,
                    why: "it holds the tool's sessions and settings".to_owned(),
                };
                found.push(Found { item, what: What::State });
            }
        }
        found
    }
}

fn mirror_item(mirror: Mirror, in_use: &std::collections::HashSet<String>, now: Timestamp) -> Found {
    let is_used = in_use.contains(mirror.key());
    let at = used_at(&mirror);
    let is_fresh = now.since(at) < FRESH;
    let why = match (is_used, is_fresh) {
        (true, _) => "a run that is kept has a working folder of it",
        (false, true) => "it was used within a day",
        (false, false) => "no run needs it; the next one fetches it anew",
    };
    let item = DiskItem {
        kind: DiskKind::Mirror,
        name: mirror.note().map_or_else(|| mirror.key().to_owned(), |note| note.address),
        state: if is_used { DiskState::InUse } else { DiskState::Unused },
        at: Some(at),
        bytes: bytes_in(mirror.path()),
        path: mirror.path().to_owned(),
        frees: !is_used && !is_fresh,
        why: why.to_owned(),
    };
    Found { item, what: What::Mirror(mirror) }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).collect();
    found.sort_by_key(std::fs::DirEntry::file_name);
    found.into_iter().map(|entry| entry.path()).collect()
}
