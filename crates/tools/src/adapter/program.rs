//! What the adapters of command-line agents ask of the machine alike: the program, the login, the session.

use std::path::Path;

use swarm_model::tool::ToolHealth;
use swarm_model::worker::RefusalReason;
use uuid::Uuid;

use super::{RunRequest, path_text};
use crate::detect::{NodeProgram, NotStartable, find_program, node_program};
use crate::settings::ToolSettings;

/// Why a tool cannot be used, and what the person can do.
#[derive(Debug)]
pub(super) enum Obstacle {
    Missing(String),
    NeedsLogin(String),
}

impl From<Obstacle> for RefusalReason {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Missing(fix) => Self::ToolMissing { fix },
            Obstacle::NeedsLogin(fix) => Self::ToolNeedsLogin { fix },
        }
    }
}

/// The health of a tool that may have an obstacle.
pub(super) fn health(usable: Result<(), Obstacle>) -> ToolHealth {
    match usable {
        Ok(()) => ToolHealth::Ready,
        Err(Obstacle::Missing(fix)) => ToolHealth::Missing { fix },
        Err(Obstacle::NeedsLogin(fix)) => ToolHealth::NeedsLogin { fix },
    }
}

/// A script of Windows' shell instead of a program: arguments in it can become commands.
pub(super) fn refuse_script(program: &Path, instead: &str) -> Obstacle {
    let program = program.display();
    Obstacle::Missing(format!("{program} is a shell script, in which arguments can become commands: {instead}"))
}

/// A tool that npm installs.
#[derive(Debug)]
pub(super) struct NpmProgram {
    pub(super) tool: &'static str,
    pub(super) command: &'static str,
    pub(super) package: &'static str,
    /// Its script for Node, within the package.
    pub(super) script: &'static str,
}

/// Where such a tool is, and how it is started.
pub(super) fn npm_program(wanted: &NpmProgram, settings: &ToolSettings) -> Result<NodeProgram, Obstacle> {
    let NpmProgram { tool, command, package, script } = wanted;
    let found = find_program(command, settings.path.as_deref())
        .ok_or_else(|| Obstacle::Missing(format!("install {tool} (npm install -g {package}), or set its path")))?;
    node_program(&found, package, script).map_err(|why| match why {
        NotStartable::ShellScript => {
            refuse_script(&found, &format!("set the path of {script} in the package {package}"))
        }
        NotStartable::NoNode => {
            Obstacle::Missing(format!("{tool} is a script for Node, which is not on PATH: install it"))
        }
    })
}

impl NodeProgram {
    /// The beginning of the argument vector.
    pub(super) fn words(&self) -> Result<Vec<String>, RefusalReason> {
        self.node.iter().chain([&self.path]).map(|path| path_text(path)).collect()
    }
}

/// The key that the owner keeps in a file.
pub(super) fn key_in_file(settings: &ToolSettings) -> Result<Option<String>, RefusalReason> {
    let Some(path) = &settings.api_key_file else { return Ok(None) };
    let key = std::fs::read_to_string(path).map_err(|error| RefusalReason::ToolNeedsLogin {
        fix: format!("the key file {} cannot be read: {error}", path.display()),
    })?;
    Ok(Some(key.trim().to_owned()))
}

/// The session to go on with: an id, so that what a task names is neither a path nor a flag.
pub(super) fn session_to_resume(request: &RunRequest, tool: &str) -> Result<Option<Uuid>, RefusalReason> {
    let Some(text) = request.session_to_resume() else { return Ok(None) };
    Uuid::try_parse(text)
        .map(Some)
        .map_err(|_| RefusalReason::InvalidInput { detail: format!("the session is not the id of a {tool} session") })
}

/// The id of a new session: one for each attempt, so that what a killed attempt left can be found again.
pub(super) fn new_session(request: &RunRequest) -> Uuid {
    Uuid::from_u128(request.task_id.as_uuid().as_u128() ^ u128::from(request.attempt))
}

/// Whether the mode is one that the tool knows.
pub(super) fn check_mode(mode: &str, known: &[&str], tool: &str) -> Result<(), Obstacle> {
    if known.contains(&mode) {
        return Ok(());
    }
    let known = known.join(", ");
    Err(Obstacle::Missing(format!("{tool} knows no permission_mode \"{mode}\": set one of {known} in worker.toml")))
}
