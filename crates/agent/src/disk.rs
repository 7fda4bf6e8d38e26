//! What a worker keeps on its disk, and what of it goes: folders of runs, mirrors, what tools keep between runs.
//!
//! What runs, and what the coordinator does not have yet, is never touched. Folders of ended runs go by age, and over
//! the owner's quota the oldest first; then mirrors that no run has a tree of, those not used for longest first. What
//! tools keep holds sessions and logins, and stays.

mod report;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use swarm_model::{Timestamp, UserId};

pub use self::report::{DiskItem, DiskKind, DiskReport, DiskState};
use crate::journal::{Closed, RunFolder, folders};
use crate::settings::Settings;
use crate::worktree::{Mirror, Mirrors, noted};

/// The part of the tools' state that belongs to other people.
const OTHERS: &str = "others";

/// Everything that a worker keeps.
#[derive(Debug)]
pub(crate) struct Storage {
    data_dir: PathBuf,
    runs_dir: PathBuf,
    mirrors: Mirrors,
    /// How large folders of ended runs are, which nobody changes any more.
    sizes: Mutex<HashMap<(PathBuf, Timestamp), u64>>,
}

/// What a clean-up did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub(crate) n_removed: usize,
    /// Bytes that are left; known where there is a quota.
    pub(crate) used: Option<u64>,
}

/// The folder of a run that has ended.
struct Ended {
    folder: RunFolder,
    closed: Closed,
}

impl Storage {
    pub(crate) fn new(data_dir: &Path, runs_dir: PathBuf) -> Self {
        let mirrors = Mirrors::new(data_dir);
        Self { data_dir: data_dir.to_owned(), runs_dir, mirrors, sizes: Mutex::default() }
    }

    pub(crate) fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }

    pub(crate) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// What a tool keeps between runs with one account, for the machine's owner or for somebody else.
    pub(crate) fn state_of(&self, user: Option<UserId>, tool: &str, account: &str) -> PathBuf {
        let state = self.data_dir.join("state");
        let state = user.map_or_else(|| state.clone(), |user| state.join(OTHERS).join(user.to_string()));
        state.join(tool).join(account)
    }

    /// Removes what is too old, then what the disk or the owner's quota has no room for. Blocks.
    pub(crate) fn clean(
        &self,
        settings: &Settings,
        has_room: impl Fn() -> bool,
        now: Timestamp,
    ) -> io::Result<Cleaned> {
        let mut n_removed = self.by_age(settings, now)?;
        n_removed += self.until(self.good_first()?, &has_room);
        let Some(quota) = settings.max_disk() else { return Ok(Cleaned { n_removed, used: None }) };
        let used = std::cell::Cell::new(self.used()?);
        let fits = || used.get() < quota;
        for ended in self.oldest_first()? {
            if fits() {
                break;
            }
            let bytes = self.bytes_of(&ended);
            if ended.folder.remove(&self.mirrors) {
                used.set(used.get().saturating_sub(bytes));
                n_removed += 1;
            }
        }
        for (mirror, _) in self.idle_mirrors()? {
            if fits() {
                break;
            }
            let bytes = bytes_in(mirror.path());
            if self.mirrors.remove(&mirror)? {
                used.set(used.get().saturating_sub(bytes));
                n_removed += 1;
            }
        }
        Ok(Cleaned { n_removed, used: Some(used.get()) })
    }

    fn by_age(&self, settings: &Settings, now: Timestamp) -> io::Result<usize> {
        let keep = settings.keep;
        let is_old = |ended: &Ended| now.since(ended.closed.at) >= keep.span(ended.closed.failed);
        let old: Vec<_> = self.oldest_first()?.into_iter().filter(is_old).collect();
        let mut n_removed = self.until(old, &|| false);
        for (mirror, used_at) in self.idle_mirrors()? {
            if now.since(used_at) >= keep.mirror_span() {
                n_removed += usize::from(self.mirrors.remove(&mirror)?);
            }
        }
        Ok(n_removed)
    }

    fn until(&self, ended: Vec<Ended>, enough: &dyn Fn() -> bool) -> usize {
        ended.into_iter().take_while(|_| !enough()).filter(|ended| ended.folder.remove(&self.mirrors)).count()
    }

    fn ended(&self) -> io::Result<Vec<Ended>> {
        let folders = folders(&self.runs_dir)?.into_iter();
        Ok(folders.filter_map(|folder| Some(Ended { closed: folder.closed()?, folder })).collect())
    }

    fn oldest_first(&self) -> io::Result<Vec<Ended>> {
        let mut ended = self.ended()?;
        ended.sort_by_key(|ended| ended.closed.at);
        Ok(ended)
    }

    /// Those that gave a result before those that a person may still look at.
    fn good_first(&self) -> io::Result<Vec<Ended>> {
        let mut ended = self.ended()?;
        ended.sort_by_key(|ended| (ended.closed.failed, ended.closed.at));
        Ok(ended)
    }

    /// Mirrors that no run has a tree of, with when they were used last, the longest unused first.
    fn idle_mirrors(&self) -> io::Result<Vec<(Mirror, Timestamp)>> {
        let in_use = mirrors_of(folders(&self.runs_dir)?.iter());
        let idle = self.mirrors.all()?.into_iter().filter(|mirror| !in_use.contains(mirror.key()));
        let mut idle: Vec<_> = idle.map(|mirror| (used_at(&mirror), mirror)).collect();
        idle.sort_by(|one, other| (one.0, one.1.key()).cmp(&(other.0, other.1.key())));
        Ok(idle.into_iter().map(|(at, mirror)| (mirror, at)).collect())
    }

    /// Bytes of everything that is kept.
    fn used(&self) -> io::Result<u64> {
        let runs = folders(&self.runs_dir)?.into_iter().map(|folder| match folder.closed() {
            Some(closed) => self.bytes_of(&Ended { folder, closed }),
            None => bytes_in(folder.path()),
        });
        let rest = ["mirrors", "state"].map(|name| bytes_in(&self.data_dir.join(name)));
        Ok(runs.sum::<u64>() + rest.iter().sum::<u64>())
    }

    fn bytes_of(&self, ended: &Ended) -> u64 {
        let key = (ended.folder.path().to_owned(), ended.closed.at);
        let known = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let bytes = bytes_in(ended.folder.path());
            let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            sizes.retain(|(path, _), _| path.exists());
            sizes.insert(key, bytes);
            bytes
        })
    }
}

/// The mirrors that these folders have trees of.
fn mirrors_of<'a>(folders: impl Iterator<Item = &'a RunFolder>) -> HashSet<String> {
    folders.filter_map(|folder| Some(noted(folder.path())?.mirror().to_owned())).collect()
}

fn used_at(mirror: &Mirror) -> Timestamp {
    mirror.note().map_or(Timestamp::EPOCH, |note| note.used_at)
}

/// What the files in a folder take of the disk. No link is followed, and what cannot be read does not count.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let mut sum = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_dir() {
                open.push(entry.path());
            }
            sum += taken(&facts);
        }
    }
    sum
}

#[cfg(unix)]
fn taken(facts: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(facts) * 512
}

#[cfg(not(unix))]
fn taken(facts: &fs::Metadata) -> u64 {
    facts.len()
}

#[cfg(test)]
mod tests;
