//! Claude Code, the real command-line tool, driven without a terminal.
//!
//! The prompt goes in on standard input, which is then closed (an open one hangs the tool before its first
//! word). It gets a configuration folder of its own, unless the run uses the person's own login. It is told to
//! give up early: retries are the coordinator's matter, which knows the account.

mod failure;
mod ledger;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use swarm_model::ToolName;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use uuid::Uuid;

use self::ledger::Ledger;
use self::stream::Stream;
use super::{Adapter, Patience, Plan, ProcessPlan, RunRequest, Way, known_name, path_text, prompt_of};
use crate::detect::{Versions, find_program, is_shell_script};
use crate::environment;
use crate::settings::ToolSettings;

/// What is asked for where nobody names a model: the default differs between versions of the tool.
const DEFAULT_MODEL: &str = "sonnet";
/// Edits of files in the working folder pass; commands need a rule of the owner.
const DEFAULT_PERMISSION_MODE: &str = "acceptEdits";
/// The mode that the tool refuses to root outside a sandbox.
const BYPASS: &str = "bypassPermissions";
/// Any one of these is a credential.
const CREDENTIALS: [&str; 3] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];
const CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// The adapter for Claude Code.
#[derive(Debug, Default)]
pub(crate) struct ClaudeCode {
    versions: Versions,
}

/// Why the tool cannot be used, and what the person can do.
#[derive(Debug)]
enum Obstacle {
    Missing(String),
    NeedsLogin(String),
}

#[async_trait]
impl Adapter for ClaudeCode {
    fn name(&self) -> ToolName {
        known_name(ToolName::CLAUDE_CODE)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let program = usable_program(settings);
        let version = match &program {
            Ok(program) => self.versions.of(program).await,
            Err(_) => None,
        };
        let health = match program.and_then(|_| check_login(settings)) {
            Ok(()) => ToolHealth::Ready,
            Err(Obstacle::Missing(fix)) => ToolHealth::Missing { fix },
            Err(Obstacle::NeedsLogin(fix)) => ToolHealth::NeedsLogin { fix },
        };
        ToolInfo { name: self.name(), version, health, models: Vec::new(), max_concurrent: settings.max_concurrent, account: None }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let refused = |obstacle| match obstacle {
            Obstacle::Missing(fix) => RefusalReason::ToolMissing { fix },
            Obstacle::NeedsLogin(fix) => RefusalReason::ToolNeedsLogin { fix },
        };
        let program = usable_program(settings).map_err(refused)?;
        check_login(settings).map_err(refused)?;
        let session = Session::of(request)?;
        let model = request.model.as_deref().or(settings.model.as_deref()).unwrap_or(DEFAULT_MODEL).to_owned();
        let ledger = Ledger::open(request.dirs.state.join("sessions"), session.resumed());
        Ok(Plan {
            tool: self.name(),
            version: self.versions.cached(&program),
            patience: Patience::AGENT,
            way: Way::Process(ProcessPlan {
                argv: arguments(&path_text(&program)?, &model, system, &session, request, settings),
                env: variables(request, settings)?,
                stdin: prompt.to_owned(),
                parser: Box::new(Stream::new(ledger)),
            }),
            model: Some(model),
        })
    }
}

/// The tool's conversation: a new one under an id that is known beforehand, or one to go on with.
#[derive(Debug, Clone, Copy)]
enum Session {
    New(Uuid),
    Resumed(Uuid),
}

impl Session {
    fn of(request: &RunRequest) -> Result<Self, RefusalReason> {
        match request.session_to_resume() {
            Some(text) => Uuid::try_parse(text).map(Self::Resumed).map_err(|_| RefusalReason::InvalidInput {
                detail: "the session is not the id of a Claude Code session".to_owned(),
            }),
            // One id for each attempt, so that what a killed attempt left can be found again.
            None => Ok(Self::New(Uuid::from_u128(request.task_id.as_uuid().as_u128() ^ u128::from(request.attempt)))),
        }
    }

    fn resumed(self) -> Option<Uuid> {
        match self {
            Self::New(_) => None,
            Self::Resumed(id) => Some(id),
        }
    }
}

/// Values stand behind `=`: one that begins with `-` must not become a flag.
fn arguments(
    program: &str,
    model: &str,
    system: Option<&str>,
    session: &Session,
    request: &RunRequest,
    settings: &ToolSettings,
) -> Vec<String> {
    let mut argv: Vec<String> =
        [program, "-p", "--output-format=stream-json", "--verbose", "--include-partial-messages"]
            .map(str::to_owned)
            .into();
    argv.push(format!("--model={model}"));
    argv.push(format!("--permission-mode={}", permission_mode(settings)));
    argv.push(match session {
        Session::New(id) => format!("--session-id={id}"),
        Session::Resumed(id) => format!("--resume={id}"),
    });
    if !settings.allowed_tools.is_empty() {
        argv.push(format!("--allowedTools={}", settings.allowed_tools.join(",")));
    }
    if !settings.uses_own_login() {
        // The same result on every machine: no settings, hooks or servers from the working folder.
        argv.extend(["--setting-sources=".to_owned(), "--strict-mcp-config".to_owned()]);
    }
    if let Some(system) = system {
        argv.push(format!("--append-system-prompt={system}"));
    }
    if let Some(cost) = request.limits.cost_microusd {
        argv.push(format!("--max-budget-usd={:.6}", cost as f64 / 1e6));
    }
    argv
}

fn variables(request: &RunRequest, settings: &ToolSettings) -> Result<BTreeMap<String, String>, RefusalReason> {
    let mut env = environment::scrubbed(&request.dirs);
    for (name, value) in [
        ("CLAUDE_CODE_MAX_RETRIES", "2"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    if !settings.uses_own_login() {
        env.insert(CONFIG_DIR.to_owned(), path_text(&request.dirs.state.join("config"))?);
    } else if let Ok(folder) = std::env::var(CONFIG_DIR) {
        env.insert(CONFIG_DIR.to_owned(), folder);
    }
    if let Some(url) = &settings.url {
        env.insert("ANTHROPIC_BASE_URL".to_owned(), url.clone());
    }
    if let Some(path) = &settings.api_key_file {
        let key = std::fs::read_to_string(path).map_err(|error| RefusalReason::ToolNeedsLogin {
            fix: format!("the key file {} cannot be read: {error}", path.display()),
        })?;
        env.insert("ANTHROPIC_API_KEY".to_owned(), key.trim().to_owned());
    }
    env.extend(settings.env.clone());
    Ok(env)
}

fn permission_mode(settings: &ToolSettings) -> &str {
    settings.permission_mode.as_deref().unwrap_or(DEFAULT_PERMISSION_MODE)
}

/// The program, if it can be started as the settings ask.
fn usable_program(settings: &ToolSettings) -> Result<PathBuf, Obstacle> {
    let program = find_program("claude", settings.path.as_deref()).ok_or_else(|| {
        Obstacle::Missing("install Claude Code (npm install -g @anthropic-ai/claude-code), or set its path".to_owned())
    })?;
    if is_shell_script(&program) {
        return Err(Obstacle::Missing(format!(
            "{} is a shell script, in which arguments can become commands: set the path of claude.exe",
            program.display()
        )));
    }
    if permission_mode(settings) == BYPASS && is_root() && !settings.env.contains_key("IS_SANDBOX") {
        return Err(Obstacle::Missing(format!(
            "Claude Code refuses {BYPASS} to root: run the worker as another user, choose {DEFAULT_PERMISSION_MODE}, \
             or, where this machine is a sandbox, say so with IS_SANDBOX = \"1\" in the tool's env"
        )));
    }
    Ok(program)
}

fn check_login(settings: &ToolSettings) -> Result<(), Obstacle> {
    let has_credential =
        settings.api_key_file.is_some() || CREDENTIALS.iter().any(|name| settings.env.contains_key(*name));
    // The system's keychain holds the login on macOS, and only the tool may look into it.
    if has_credential || settings.uses_own_login() && (cfg!(target_os = "macos") || has_own_login(settings)) {
        return Ok(());
    }
    Err(Obstacle::NeedsLogin(
        "run `claude` once on this machine and sign in, or set api_key_file for claude-code in worker.toml".to_owned(),
    ))
}

fn has_own_login(settings: &ToolSettings) -> bool {
    let configured = settings.env.get(CONFIG_DIR).map(PathBuf::from);
    let inherited = || std::env::var_os(CONFIG_DIR).map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".claude"));
    configured.or_else(inherited).or_else(usual).is_some_and(|folder| holds_credentials(&folder))
}

fn holds_credentials(folder: &Path) -> bool {
    folder.join(".credentials.json").is_file()
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests;
