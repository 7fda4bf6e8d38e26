//! What an attempt left that was interrupted: killed with its agent, cut short when that stopped, or paused by the
//! coordinator, which then names the session to go on with.
//!
//! The task may come back to this machine. Then its next attempt goes on in the same folder, whose place the tool
//! knows from its session, and with that session where there is one. A folder stays whole in between: whatever
//! kills the process, the folder belongs either to the attempt that is closed or to the one that is open.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_model::ToolName;
use swarm_model::task::TaskInput;
use swarm_proto::worker::Assignment;

use super::recovery::folders;
use super::{ASSIGNMENT, CLOSED, Closing, JOURNAL, RESULT, RunFolder, alone};
use crate::durable;
use crate::worktree::Checkout;

const SESSION: &str = "session.json";
/// Names that are told to the tool, at most.
const MAX_NAMES: usize = 20;

/// The session that a tool told, on the disk as soon as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSession {
    pub(crate) tool: ToolName,
    /// Where the tool keeps it.
    pub(crate) state: PathBuf,
    pub(crate) session: String,
}

/// What an interrupted attempt left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interrupted {
    pub(crate) folder: RunFolder,
    session: Option<KeptSession>,
    /// What lies in its working folder.
    names: Vec<String>,
    is_repository: bool,
}

/// The folder in which this attempt goes on, if there is one. A plain command and a tool that only talks begin
/// anew: neither can be told that something was done.
pub(crate) fn interrupted(runs_dir: &Path, assignment: &Assignment) -> Option<Interrupted> {
    if !assignment.tool.runs_programs() || matches!(assignment.input, TaskInput::Command { .. }) {
        return None;
    }
    let number = format!("{}-", assignment.number);
    let earlier = folders(runs_dir).ok()?.into_iter().filter_map(|folder| {
        let is_named = folder.path.file_name()?.to_str()?.starts_with(&number);
        let earlier = is_named.then(|| folder.assignment().ok())??;
        let is_of_task = earlier.task_id == assignment.task_id && earlier.attempt < assignment.attempt;
        is_of_task.then_some((earlier.attempt, folder))
    });
    // A later one that failed says that the task begins anew.
    let (_, folder) = earlier.max_by_key(|(attempt, _)| *attempt)?;
    let session = folder.session();
    let is_paused =
        paused_session(assignment).is_some_and(|named| session.as_ref().is_some_and(|kept| kept.session == named));
    (folder.is_interrupted() || is_paused && folder.closed().is_some()).then_some(())?;
    let is_repository = assignment.repository.is_some();
    if is_repository && Checkout::read(folder.path()).is_none() {
        return None;
    }
    let names = names_in(&folder.work());
    (session.is_some() || !names.is_empty()).then_some(Interrupted { folder, session, names, is_repository })
}

/// The session of an earlier attempt that the coordinator names; one that the task names is another matter.
fn paused_session(assignment: &Assignment) -> Option<&str> {
    let by_task = match &assignment.input {
        TaskInput::Prompt { session, .. } => session.as_deref(),
        TaskInput::Command { .. } => None,
    };
    assignment.resume_session.as_deref().filter(|named| by_task != Some(*named))
}

impl Interrupted {
    /// The session to go on with, where this tool keeps it in this place.
    pub(crate) fn session(&self, tool: &ToolName, state: &Path) -> Option<&str> {
        let kept = self.session.as_ref().filter(|kept| kept.tool == *tool && kept.state == state)?;
        Some(&kept.session)
    }

    /// The prompt of a session that goes on.
    pub(crate) fn go_on(description: &str) -> String {
        format!(
            "Your work on this task was interrupted: the machine, or the program that runs you, stopped in the middle. \
             What you did so far is still in the working folder. Go on where you left off. The task was:\n\n{description}"
        )
    }

    /// The prompt of a session that knows nothing yet.
    pub(crate) fn begin_again(&self, description: &str) -> String {
        let there = if self.is_repository {
            "`git status` and `git log` show it".to_owned()
        } else if self.names.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("it holds {}", self.names.join(", "))
        };
        format!(
            "An earlier attempt at this task was interrupted: the machine, or the program that runs you, stopped in \
             the middle. What it did is still in the working folder ({there}). Look at that first and go on from \
             there. The task is:\n\n{description}"
        )
    }
}

impl RunFolder {
    /// Takes over the folder of an interrupted attempt; its lines stay beside those of the new one.
    pub(crate) fn adopt(&self, assignment: &Assignment) -> io::Result<()> {
        let _alone = alone();
        if self.closed().is_none() {
            return Err(io::Error::new(ErrorKind::NotFound, "the folder was cleaned up"));
        }
        let attempt = self.assignment()?.attempt;
        for (file, aside) in
            [(JOURNAL, format!("journal-{attempt}.ndjson")), (RESULT, format!("result-{attempt}.json"))]
        {
            match fs::rename(self.path.join(file), self.path.join(aside)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for rest in [self.told(), self.path.join("tmp"), self.path.join("control")] {
            match fs::remove_dir_all(rest) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.write_assignment(assignment)?;
        // Until here the folder is that of the attempt before, and closed.
        fs::remove_file(self.path.join(CLOSED))?;
        swarm_model::crash::point("agent.assignment.journalled");
        Ok(())
    }

    /// Keeps the session that the tool told.
    pub(crate) fn keep_session(&self, session: &KeptSession) -> io::Result<()> {
        durable::replace(&self.path.join(SESSION), &serde_json::to_vec(session)?)
    }

    fn session(&self) -> Option<KeptSession> {
        serde_json::from_slice(&fs::read(self.path.join(SESSION)).ok()?).ok()
    }

    /// Whether its attempt was cut short by what happened to the worker, and not by its tool or a person.
    pub(crate) fn is_interrupted(&self) -> bool {
        let was_cut = |why| matches!(why, Closing::Lost | Closing::HandedBack | Closing::Stale);
        let is_whole = self.path.join(ASSIGNMENT).is_file() && !self.path.join(RESULT).exists();
        is_whole && self.closed().is_some_and(|closed| was_cut(closed.why))
    }
}

fn names_in(work: &Path) -> Vec<String> {
    let entries = fs::read_dir(work).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name != ".git");
    names.sort();
    let n_more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    if n_more > 0 {
        names.push(format!("{n_more} more"));
    }
    names
}
