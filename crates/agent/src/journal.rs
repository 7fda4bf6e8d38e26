//! What one attempt leaves on the disk: a folder `<number>-<attempt>-<short id>` below `runs`.
//!
//! `assignment.json` is there before the attempt is accepted, `journal.ndjson` has every line before it is
//! sent, `result.json` the result before it is sent, and `closed.json` says that nothing of it will be needed
//! again. The process may be killed between any two steps: what the folder holds tells the next process what
//! was promised. Invariant: numbers in the journal run from 1 without a gap, and only its last line can be
//! torn.

mod lines;
mod recovery;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_model::Timestamp;
use swarm_model::log::LogStream;
use swarm_model::task::{Outcome, Usage};
use swarm_proto::worker::{Assignment, AttemptResult};
use swarm_tools::RunDirs;

pub(crate) use self::lines::{Journal, LogReader, MAX_BATCH_BYTES, Place, Tip};
pub(crate) use self::recovery::{Recovered, clean_up, make_room, recover};
use crate::durable;

const ASSIGNMENT: &str = "assignment.json";
const JOURNAL: &str = "journal.ndjson";
const RESULT: &str = "result.json";
const CLOSED: &str = "closed.json";

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
struct Closed {
    why: Closing,
    failed: bool,
    at: Timestamp,
}

impl RunFolder {
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
        // Not brought to the disk: after a power cut the attempt is lost in any case, and it would cost the
        // start some milliseconds.
        let draft = self.path.join("assignment.draft");
        let written = serde_json::to_vec(assignment).map_err(io::Error::from).and_then(|content| {
            fs::write(&draft, content)?;
            fs::rename(&draft, self.path.join(ASSIGNMENT))
        });
        if let Err(error) = written {
            // On a full disk the rest of a folder takes room that others need.
            drop(fs::remove_dir_all(&self.path));
            return Err(error);
        }
        swarm_model::crash::point("agent.assignment.journalled");
        Ok(())
    }

    /// The folders that the tool is given.
    pub(crate) fn dirs(&self, state: PathBuf) -> RunDirs {
        RunDirs { work: self.work(), tmp: self.path.join("tmp"), control: self.path.join("control"), state }
    }

    /// The tool's working folder.
    pub(crate) fn work(&self) -> PathBuf {
        self.path.join("work")
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

    fn assignment(&self) -> io::Result<Assignment> {
        Ok(serde_json::from_slice(&fs::read(self.path.join(ASSIGNMENT))?)?)
    }

    /// The result; none where there is none or, after a crash in the middle of a write on some file system, a
    /// part of one.
    fn result(&self) -> Option<AttemptResult> {
        serde_json::from_slice(&fs::read(self.path.join(RESULT)).ok()?).ok()
    }

    /// What a run without a result said that it used; nothing where it said nothing near its end.
    fn reported(&self) -> Usage {
        let tail = lines::tail(&self.journal()).unwrap_or_default();
        let of_usage = tail.into_iter().rev().find(|line| line.stream == LogStream::Usage);
        of_usage.and_then(|line| serde_json::from_value(line.data?).ok()).unwrap_or_default()
    }

    fn closed(&self) -> Option<Closed> {
        serde_json::from_slice(&fs::read(self.path.join(CLOSED)).ok()?).ok()
    }
}

/// The name of an attempt's folder: what people look for first, and enough of the id to be the only one.
fn folder_name(assignment: &Assignment) -> String {
    let id = assignment.task_id.as_uuid().simple().to_string();
    format!("{}-{}-{}", assignment.number, assignment.attempt, &id[id.len() - 8..])
}

/// Whether an attempt gave no result; such folders are kept longer.
pub(crate) fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Completed { .. })
}

#[cfg(test)]
mod tests;
