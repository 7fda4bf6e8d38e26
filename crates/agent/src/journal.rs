//! What one attempt leaves on the disk: a folder `<number>-<attempt>-<short id>` below `runs`.
//!
//! `assignment.json` is there before the attempt is accepted, `journal.ndjson` has every line before it is
//! sent, `result.json` the result before it is sent, and `closed.json` says that nothing of it will be needed
//! again. The process may be killed between any two steps: what the folder holds tells the next process what
//! was promised. Invariant: numbers in the journal run from 1 without a gap, and only its last line can be
//! torn. An attempt that goes on where an interrupted one was takes over its folder, and its name (`interrupted`).

mod interrupted;
mod lines;
mod recovery;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use swarm_model::Timestamp;
use swarm_model::log::LogStream;
use swarm_model::task::{Outcome, Usage};
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::RunDirs;

pub(crate) use self::interrupted::{Interrupted, KeptSession, interrupted};
pub(crate) use self::lines::{Journal, LogReader, MAX_BATCH_BYTES, Place, Tip};
pub(crate) use self::recovery::{Recovered, folders, recover};
use crate::durable;
use crate::worktree::{self, Mirrors};

const ASSIGNMENT: &str = "assignment.json";
const JOURNAL: &str = "journal.ndjson";
const RESULT: &str = "result.json";
const CLOSED: &str = "closed.json";
/// Behind the name of a folder that is being removed.
const GONE: &str = "gone";

/// The folder of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

/// Why nothing of an attempt will be needed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Closing {
    /// The coordinator has its result.
    Acknowledged,
    /// The coordinator said that it is not ours any more.
    Stale,
    /// The agent died while it ran.
    Lost,
    /// The agent stopped and gave it back.
    HandedBack,
}

/// The content of `closed.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub(crate) why: Closing,
    pub(crate) failed: bool,
    pub(crate) at: Timestamp,
}

/// Who removes a closed folder, and who goes on in it, do so one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static FOLDERS: Mutex<()> = Mutex::new(());
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunFolder {
    /// The folder at this place.
    #[cfg(test)]
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the folder of an attempt is, or will be.
    pub(crate) fn of(runs_dir: &Path, assignment: &Assignment) -> Self {
        Self { path: runs_dir.join(folder_name(assignment)) }
    }

    /// Makes the folder with its assignment in it. One left by a crash in the middle of this is begun anew.
    pub(crate) fn create(&self, assignment: &Assignment) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        durable::make_private_dir(&self.path)?;
        if let Err(error) = self.write_assignment(assignment) {
            // On a full disk the rest of a folder takes room that others need.
            drop(fs::remove_dir_all(&self.path));
            return Err(error);
        }
        swarm_model::crash::point("agent.assignment.journalled");
        Ok(())
    }

    /// Not brought to the disk: after a power cut the attempt is lost in any case, and it would cost the start some
    /// milliseconds.
    fn write_assignment(&self, assignment: &Assignment) -> io::Result<()> {
        let draft = self.path.join("assignment.draft");
        fs::write(&draft, serde_json::to_vec(assignment)?)?;
        fs::rename(&draft, self.path.join(ASSIGNMENT))
    }

    /// The folders that the tool is given.
    pub(crate) fn dirs(&self, state: PathBuf) -> RunDirs {
        RunDirs { work: self.work(), tmp: self.path.join("tmp"), control: self.path.join("control"), state }
    }

    /// The tool's working folder.
    pub(crate) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// What is told of the run beside the files of its working folder.
    pub(crate) fn told(&self) -> PathBuf {
        self.path.join("told")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Keeps the result: after this it will be delivered, whatever happens.
    pub(crate) fn write_result(&self, result: &AttemptResult) -> io::Result<()> {
        swarm_model::crash::point("agent.result.journalling");
        // The lines stand before the result: they are sent first.
        match fs::File::open(self.journal()) {
            Ok(journal) => journal.sync_data()?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        durable::replace(&self.path.join(RESULT), &serde_json::to_vec(result)?)?;
        self.path.parent().map_or(Ok(()), durable::sync_dir)?;
        swarm_model::crash::point("agent.result.journalled");
        Ok(())
    }

    /// Notes that nothing of the attempt will be needed again; the folder stays until it is old.
    pub(crate) fn close(&self, why: Closing, failed: bool, at: Timestamp) -> io::Result<()> {
        durable::replace(&self.path.join(CLOSED), &serde_json::to_vec(&Closed { why, failed, at })?)
    }

    /// Removes the folder, and what it has in a mirror; tells whether it is gone. Blocks.
    pub(crate) fn remove(&self, mirrors: &Mirrors) -> bool {
        // Out of the way first: from here on nobody goes on in it, and the next process finishes what is begun.
        let gone = self.path.with_extension(GONE);
        let aside = || {
            finish(&gone, mirrors)?;
            let _alone = alone();
            fs::rename(&self.path, &gone)
        };
        let removed = aside().and_then(|()| finish(&gone, mirrors));
        if let Err(error) = &removed {
            tracing::warn!(%error, folder = %self.path.display(), "the folder of a run was not removed");
        }
        removed.is_ok()
    }

    pub(crate) fn assignment(&self) -> io::Result<Assignment> {
        Ok(serde_json::from_slice(&fs::read(self.path.join(ASSIGNMENT))?)?)
    }

    /// The result; none where there is none or, after a crash in the middle of a write on some file system, a
    /// part of one.
    pub(crate) fn result(&self) -> Option<AttemptResult> {
        serde_json::from_slice(&fs::read(self.path.join(RESULT)).ok()?).ok()
    }

    /// What a run without a result said that it used; nothing where it said nothing near its end.
    fn reported(&self) -> Usage {
        let tail = lines::tail(&self.journal()).unwrap_or_default();
        let of_usage = tail.into_iter().rev().find(|line| line.stream == LogStream::Usage);
        of_usage.and_then(|line| serde_json::from_value(line.data?).ok()).unwrap_or_default()
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        serde_json::from_slice(&fs::read(self.path.join(CLOSED)).ok()?).ok()
    }
}

/// The name of an attempt's folder: what people look for first, and enough of the id to be the only one.
fn folder_name(assignment: &Assignment) -> String {
    let id = assignment.task_id.as_uuid().simple().to_string();
    format!("{}-{}-{}", assignment.number, assignment.attempt, &id[id.len() - 8..])
}

/// Finishes the removal of a folder that is out of the way.
fn finish(gone: &Path, mirrors: &Mirrors) -> io::Result<()> {
    if let Some(Err(error)) = worktree::noted(gone).map(|checkout| worktree::forget(mirrors, &checkout)) {
        tracing::warn!(%error, folder = %gone.display(), "the branch of a run stays in its mirror");
    }
    match fs::remove_dir_all(gone) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether an attempt gave no result; such folders are kept longer.
pub(crate) fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Completed { .. })
}

#[cfg(test)]
mod tests;
