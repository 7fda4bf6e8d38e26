//! What the guard is given, and what it leaves in the status file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One run, as the worker describes it: the first line on the guard's standard input.
#[derive(Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The whole environment of the program.
    pub env: BTreeMap<String, String>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Milliseconds between TERM and KILL.
    pub grace_ms: u64,
    /// The file that becomes the program's standard input, removed once it is open; none means no input.
    pub stdin_file: Option<PathBuf>,
    /// Where [`Ended`] is written.
    pub status_file: PathBuf,
    /// What alone the program sees of the machine; none lets it see what its account sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
}

/// What a program in a sandbox sees of the machine: these files, processes of its own, and this network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// What the program takes for its home.
    pub home: PathBuf,
    /// The files, in any order: what lies deeper stands on top.
    pub mounts: Vec<Mount>,
    /// The network; none leaves the machine's own as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
}

/// A file or folder in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is in the sandbox.
    pub at: PathBuf,
    /// What is there.
    pub shows: Shows,
}

/// What is shown in a place of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// A file or folder of the machine, to be read.
    Read(PathBuf),
    /// The same, to be written too.
    Write(PathBuf),
    /// A link with this target.
    Link(PathBuf),
    /// An empty folder, whatever the machine has there.
    Nothing,
}

/// The network of a sandbox that is cut off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Ports of this machine's loopback address that are reached under the same number.
    pub ports: BTreeSet<u16>,
    /// Hosts that are reached through the guard's proxy: `example.org`, or `*.example.org` for all below it.
    pub hosts: Vec<String>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment may be keys.
        f.debug_struct("Spec")
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// How a run ended: the content of the status file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Exit code of the first process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that ended the first process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What brought the end about.
    pub by: EndedBy,
    /// Processes that did not end with the first one and were ended by the guard.
    #[serde(default)]
    pub swept: u32,
    /// Processes that did not even end on KILL (stuck in the kernel).
    #[serde(default)]
    pub left: u32,
    /// Why the program did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_failure: Option<StartFailure>,
}

/// What brought the end of a run about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The program ended.
    Itself,
    /// The worker asked for it.
    Cancel,
    /// The worker vanished.
    WorkerLost,
    /// The guard was asked to end by a signal.
    Signal,
}

/// Why a program did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFailure {
    /// The kind, for decisions.
    pub kind: StartFailureKind,
    /// The system's words, for people.
    pub message: String,
}

/// The kinds of failed starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFailureKind {
    /// There is no such program.
    NotFound,
    /// It may not be executed.
    Denied,
    /// Its sandbox cannot be made.
    Sandbox,
    /// Something else.
    Other,
}

impl StartFailure {
    /// What the system said.
    pub(super) fn of(error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => StartFailureKind::NotFound,
            std::io::ErrorKind::PermissionDenied => StartFailureKind::Denied,
            _ => StartFailureKind::Other,
        };
        Self { kind, message: error.to_string() }
    }

    /// No sandbox is built for this system: a run that must have one does not start.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn no_sandbox() -> Self {
        let message = "this build has no sandbox for this system".to_owned();
        Self { kind: StartFailureKind::Sandbox, message }
    }
}

impl Ended {
    /// The end of a program that did not start.
    pub(super) fn not_started(failure: StartFailure) -> Self {
        let start_failure = Some(failure);
        Self { code: None, signal: None, by: EndedBy::Itself, swept: 0, left: 0, start_failure }
    }
    /// The code as a shell would give it: 128 and the signal, 127 and 126 for what did not start.
    pub fn shell_code(&self) -> Option<i32> {
        match (&self.start_failure, self.code, self.signal) {
            (Some(StartFailure { kind: StartFailureKind::NotFound, .. }), _, _) => Some(127),
            (Some(_), _, _) => Some(126),
            (None, Some(code), _) => Some(code),
            (None, None, Some(signal)) => Some(128 + signal),
            (None, None, None) => None,
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.shell_code().and_then(|code| u8::try_from(code & 0xff).ok()).unwrap_or(1)
    }

    /// Writes the status in one step: a reader sees all of it or nothing. After a power cut nobody asks for it.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let draft = path.with_extension("draft");
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(draft, path)
    }

    /// Reads a status back; none where the guard wrote none.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }
}
