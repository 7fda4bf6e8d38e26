//! What every tool has in common: how it is found, and how one run of it is planned.
//!
//! A new tool is one file below this module and one line in `registry.rs`. An adapter plans; it never runs,
//! kills or times anything: that is `run.rs` for all of them.

pub(crate) mod anthropic_api;
pub(crate) mod api;
pub(crate) mod claude_code;
pub(crate) mod codex;
pub(crate) mod command;
pub(crate) mod demo;
mod extra;
mod failure;
pub(crate) mod gemini_api;
pub(crate) mod gemini_cli;
mod ledger;
pub(crate) mod ollama;
pub(crate) mod openai_api;
mod output;
mod program;
mod reset;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use swarm_model::task::{Limits, TaskInput};
use swarm_model::tool::{self, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{Isolation, TaskId, ToolName, UserId};
use tokio::sync::mpsc;
use url::Url;

use crate::account::{KeyError, TakenKey};
use crate::event::{Final, ToolEvent};
use crate::guard::Ended;
use crate::meter::Meter;
use crate::proxy::Metered;
use crate::settings::ToolSettings;

/// One tool: how it is found and how a run of it is planned.
#[async_trait]
pub trait Adapter: Send + Sync + fmt::Debug {
    /// The tool's name.
    fn name(&self) -> ToolName;

    /// What is there of the tool now. Cheap enough for every heartbeat: versions are cached by path and time
    /// of change, and no program is started while those stay the same.
    async fn detect(&self, settings: &ToolSettings) -> ToolInfo;

    /// How the run is carried out, or why this machine must decline it.
    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason>;

    /// Which address it asks and with which key, and where both were found: a sentence for the machine's owner, which
    /// holds no key. None for a tool that asks nobody.
    fn account(&self, _settings: &ToolSettings) -> Option<String> {
        None
    }

    /// Whether the settings fit the tool, as far as types do not tell: what is wrong where they do not.
    fn check(&self, settings: &ToolSettings) -> Result<(), String> {
        if settings.args.is_empty() {
            return Ok(());
        }
        Err(format!("{} starts no program of its own that args could be given to", self.name()))
    }

    /// Takes a key that is to be kept for the tool: finds the address that it goes to, and asks there whether it is
    /// known, where that is wanted and can be asked.
    async fn take_key(&self, _key: &str, _settings: &ToolSettings, _check: bool) -> Result<TakenKey, KeyError> {
        Err(KeyError::NotWanted(self.name().to_string()))
    }

    /// How a person signs in with the tool itself, where it has a login of its own.
    fn own_login(&self) -> Option<&'static str> {
        None
    }

    /// Whose allowance a run uses, where that can be known.
    fn payer(&self, _settings: &ToolSettings) -> Option<tool::Account> {
        None
    }
}

/// One run, as a lease asks for it.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The task.
    pub task_id: TaskId,
    /// Which assignment of it this is.
    pub attempt: u32,
    /// Whose task it is.
    pub user_id: UserId,
    /// The prompt, or the command line as people read it.
    pub description: String,
    /// What the tool is given beside the description.
    pub input: TaskInput,
    /// Which tool.
    pub tool: ToolName,
    /// The model that is wished for.
    pub model: Option<String>,
    /// How far the run may go.
    pub limits: Limits,
    /// The tool's own session to go on with.
    pub session: Option<String>,
    /// Its folders.
    pub dirs: RunDirs,
    /// How far it is kept away from the machine.
    pub confinement: Confinement,
}

/// How far a run is kept away from its machine. A run that only talks needs none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// The level.
    pub level: Isolation,
    /// The only hosts that it may reach; none leaves the network as it is. Only a sandbox can hold to it.
    pub network: Option<Vec<String>>,
    /// Whether it is a task of the machine's owner, who may lend it their own login.
    pub by_owner: bool,
    /// What a sandbox shows besides, to be read.
    pub read: Vec<PathBuf>,
    /// What a sandbox shows besides, to be written too.
    pub write: Vec<PathBuf>,
    /// What a sandbox shows nothing of, also where it lies among the system's programs.
    pub hidden: Vec<PathBuf>,
}

impl Default for Confinement {
    fn default() -> Self {
        Self {
            level: Isolation::Own,
            network: None,
            by_owner: true,
            read: Vec::new(),
            write: Vec::new(),
            hidden: Vec::new(),
        }
    }
}

impl Confinement {
    /// Whether the run is in a sandbox.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.level >= Isolation::Sandbox
    }
}

impl RunRequest {
    /// The beginning of the mark that every process of this run carries; see [`crate::guard::sweep_marked`].
    pub fn mark_prefix(&self) -> String {
        mark_prefix(self.task_id, self.attempt)
    }

    /// The tool's session to go on with: the lease's, or the one that the task names.
    pub(crate) fn session_to_resume(&self) -> Option<&str> {
        let named = match &self.input {
            TaskInput::Prompt { session, .. } => session.as_deref(),
            TaskInput::Command { .. } => None,
        };
        self.session.as_deref().or(named)
    }
}

/// The beginning of the mark of every process of an attempt.
pub fn mark_prefix(task_id: TaskId, attempt: u32) -> String {
    format!("{task_id}-{attempt}-")
}

/// The folders of a run. `tmp` and `control` are made by the run and gone when it ends, on every way out;
/// `work` and `state` are made where they are missing, and stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirs {
    /// Where the tool works.
    pub work: PathBuf,
    /// Its temporary files.
    pub tmp: PathBuf,
    /// What the tool keeps between runs, by worker, tool and account.
    pub state: PathBuf,
    /// What passes between us and the guard.
    pub control: PathBuf,
}

/// How a run is carried out.
#[derive(Debug)]
pub struct Plan {
    /// Which tool.
    pub(crate) tool: ToolName,
    /// Its version, where it is known beforehand.
    pub(crate) version: Option<String>,
    /// The model that is asked for.
    pub(crate) model: Option<String>,
    /// How long it may keep us waiting.
    pub(crate) patience: Patience,
    /// Counts what it uses.
    pub(crate) meter: Meter,
    /// The way.
    pub(crate) way: Way,
}

/// The two ways to carry out a run.
#[derive(Debug)]
pub(crate) enum Way {
    /// A program under the guard.
    Process(ProcessPlan),
    /// A conversation inside this process.
    Talk(Box<dyn Conversation>),
}

/// How long a tool may keep us waiting. None is for ever.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// Until the first event.
    pub(crate) start: Option<Duration>,
    /// Between two events.
    pub(crate) silence: Option<Duration>,
    /// Between two events while a call of a tool is open.
    pub(crate) silence_in_call: Option<Duration>,
}

impl Patience {
    /// What an agent that works on its own is given.
    pub(crate) const AGENT: Self = Self {
        start: Some(Duration::from_mins(2)),
        silence: Some(Duration::from_mins(30)),
        silence_in_call: Some(Duration::from_hours(2)),
    };
    /// What a program is given that may have nothing to say for days.
    pub(crate) const ENDLESS: Self = Self { start: None, silence: None, silence_in_call: None };
}

/// A program to run under the guard.
pub(crate) struct ProcessPlan {
    /// The program and its arguments, never a shell.
    pub(crate) argv: Vec<String>,
    /// Its whole environment, but for the run's mark.
    pub(crate) env: BTreeMap<String, String>,
    /// Its standard input, which then ends.
    pub(crate) stdin: String,
    /// What must be on the disk before it starts.
    pub(crate) needs: Needs,
    /// What it needs of the world in a sandbox.
    pub(crate) reach: Reach,
    /// Whom it asks through a proxy of the run's, where that is how it works.
    pub(crate) metered: Option<Box<Metered>>,
    /// Understands its output.
    pub(crate) parser: Box<dyn OutputParser>,
}

/// What a program needs of the world even where it is kept from the rest.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// The addresses of its own model.
    pub(crate) endpoints: Vec<Url>,
    /// Where the person's login is, if it works with that.
    pub(crate) login: Vec<PathBuf>,
}

impl fmt::Debug for ProcessPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment may be keys.
        f.debug_struct("ProcessPlan")
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Folders and files that a program wants to find. Nobody else on the machine may look into them.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Made where they are missing; they stay.
    pub(crate) folders: Vec<PathBuf>,
    /// Replaced in one step where they hold something else: other runs may be reading them.
    pub(crate) files: Vec<(PathBuf, String)>,
}

/// Turns a program's output into events. Chunks come as they were read and may end anywhere.
pub(crate) trait OutputParser: Send + Sync {
    /// Takes a piece of standard output.
    fn stdout(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>);

    /// Takes a piece of standard error.
    fn stderr(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>);

    /// Takes the end of both. A tool without a final event of its own gets one here from how it ended, which
    /// is unknown where even the guard was killed.
    fn finish(&mut self, ended: Option<&Ended>, events: &mut Vec<ToolEvent>);
}

/// A run that is a conversation over HTTP, or inside this process. Dropping it ends it.
#[async_trait]
pub(crate) trait Conversation: Send + fmt::Debug {
    /// Holds the conversation; events go to `sink` while it lasts.
    async fn hold(self: Box<Self>, sink: EventSink) -> Final;
}

/// Where a conversation puts its events. Waits while nobody takes them.
#[derive(Debug, Clone)]
pub(crate) struct EventSink(mpsc::Sender<ToolEvent>);

impl EventSink {
    pub(crate) fn new(events: mpsc::Sender<ToolEvent>) -> Self {
        Self(events)
    }

    pub(crate) async fn emit(&self, event: ToolEvent) {
        // The receiver lives as long as the conversation is polled.
        drop(self.0.send(event).await);
    }
}

/// The prompt of a task that must have one.
pub(crate) fn prompt_of(request: &RunRequest) -> Result<(&str, Option<&str>), RefusalReason> {
    let invalid = |detail: &str| Err(RefusalReason::InvalidInput { detail: detail.to_owned() });
    match &request.input {
        TaskInput::Command { .. } => invalid("it takes a prompt, not a command line"),
        TaskInput::Prompt { .. } if request.description.trim().is_empty() => invalid("the prompt is empty"),
        TaskInput::Prompt { system, .. } => Ok((&request.description, system.as_deref())),
    }
}

/// A path as an argument or a variable.
pub(crate) fn path_text(path: &Path) -> Result<String, RefusalReason> {
    path.to_str().map(str::to_owned).ok_or_else(|| RefusalReason::InvalidInput {
        detail: format!("the path {} is not valid UTF-8", path.display()),
    })
}

/// A tool's name that is written in the code.
#[expect(clippy::expect_used, reason = "the names are constants, and a test of the registry reads them all")]
pub(crate) fn known_name(name: &'static str) -> ToolName {
    name.parse().expect("a constant name is well-formed")
}
