//! Claude Code, the real command-line tool, driven without a terminal.
//!
//! The prompt goes in on standard input, which is then closed (an open one hangs the tool before its first
//! word). It gets a configuration folder of its own, unless the run uses the person's own login. It is told to
//! give up early: retries are the coordinator's matter, which knows the account.

mod failure;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use swarm_model::ToolName;
use swarm_model::tool::{self, ToolInfo};
use swarm_model::worker::RefusalReason;
use uuid::Uuid;

use self::stream::Stream;
use super::anthropic_api::Anthropic;
use super::api::take_key;
use super::extra::{self, Owned};
use super::ledger::Ledger;
use super::program::{Identity, found, new_session, refuse_script, session_to_resume};
use super::{Adapter, Needs, Patience, Plan, ProcessPlan, RunRequest, Way, known_name, path_text, prompt_of};
use crate::account::{CLAUDE_CODE, KeyError, Obstacle, Place, TakenKey};
use crate::detect::{Versions, find_program, is_shell_script};
use crate::environment;
use crate::meter::Meter;
use crate::proxy::Metered;
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// What is asked for where nobody names a model: the default differs between versions of the tool.
const DEFAULT_MODEL: &str = "sonnet";
/// Edits of files in the working folder pass; commands need a rule of the owner.
const DEFAULT_PERMISSION_MODE: &str = "acceptEdits";
/// The mode that the tool refuses to root outside a sandbox.
const BYPASS: &str = "bypassPermissions";
const CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";
/// Prompt, output, session, permissions and what goes with them are ours.
const OWNED: Owned = Owned {
    tool: "Claude Code",
    names: &[
        "print",
        "outputformat",
        "inputformat",
        "verbose",
        "includepartialmessages",
        "includehookevents",
        "forwardsubagenttext",
        "brief",
        "replayusermessages",
        "jsonschema",
        "promptsuggestions",
        "model",
        "permissionmode",
        "permissionprompttool",
        "permissionprompts",
        "dangerouslyskippermissions",
        "allowdangerouslyskippermissions",
        "allowedtools",
        "sessionid",
        "resume",
        "resumesessionat",
        "continue",
        "forksession",
        "frompr",
        "sessionpersistence",
        // Settings may hold permissions, addresses and keys.
        "settings",
        "settingsources",
        "strictmcpconfig",
        "systemprompt",
        "systempromptfile",
        "appendsystemprompt",
        "appendsystempromptfile",
        "maxbudgetusd",
        "bare",
        "worktree",
        "tmux",
        "background",
        "bg",
        "cloud",
        "desktop",
        "environment",
        "remote",
        "remotecontrol",
        "teleport",
        "sdkurl",
        "init",
        "initonly",
        "maintenance",
        "help",
        "version",
    ],
    entries: None,
};
/// Whom it talks to with a login of its own.
const LOGIN_HOSTS: [&str; 3] = ["claude.ai", "console.anthropic.com", "platform.claude.com"];

/// The adapter for Claude Code.
#[derive(Debug)]
pub(crate) struct ClaudeCode {
    versions: Versions,
    variables: Variables,
}

impl ClaudeCode {
    pub(crate) fn new(variables: Variables) -> Self {
        Self { versions: Versions::default(), variables }
    }

    fn identity(&self, settings: &ToolSettings) -> Result<Identity, Obstacle> {
        Identity::of(&CLAUDE_CODE, CONFIG_DIR, settings, &self.variables)
    }
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
        let usable = program.and_then(|_| check_login(&self.identity(settings)?, settings));
        found(self.name(), version, usable, settings)
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let program = usable_program(settings)?;
        let identity = self.identity(settings)?;
        check_login(&identity, settings)?;
        let resumed = session_to_resume(request, "Claude Code")?;
        let model = request.model.as_deref().or(settings.model.as_deref()).unwrap_or(DEFAULT_MODEL).to_owned();
        let ledger = Ledger::open(request.dirs.state.join("sessions"), resumed);
        Ok(Plan {
            tool: self.name(),
            version: self.versions.cached(&program),
            patience: Patience::AGENT,
            meter: Meter::of(&request.limits, settings),
            way: Way::Process(ProcessPlan {
                argv: arguments(&path_text(&program)?, &model, system, resumed, request, settings, identity.own_login),
                env: variables(request, settings, &identity)?,
                stdin: prompt.to_owned(),
                needs: Needs::default(),
                reach: identity.reach(request, login_place(&identity, settings), &LOGIN_HOSTS)?,
                metered: metered(&identity).map(Box::new),
                parser: Box::new(Stream::new(ledger)),
            }),
            model: Some(model),
        })
    }

    fn account(&self, settings: &ToolSettings) -> Option<String> {
        Some(self.identity(settings).ok()?.sentence())
    }

    fn check(&self, settings: &ToolSettings) -> Result<(), String> {
        extra::check(&settings.args, &OWNED).map_err(|obstacle| obstacle.words().to_owned())
    }

    async fn take_key(&self, key: &str, settings: &ToolSettings, check: bool) -> Result<TakenKey, KeyError> {
        take_key(&Anthropic, &CLAUDE_CODE, key, settings, &self.variables, check).await
    }

    fn own_login(&self) -> Option<&'static str> {
        Some("run `claude` once on this machine and sign in")
    }

    fn payer(&self, settings: &ToolSettings) -> Option<tool::Account> {
        self.identity(settings).ok()?.payer()
    }
}

/// Values stand behind `=`: one that begins with `-` must not become a flag.
fn arguments(
    program: &str,
    model: &str,
    system: Option<&str>,
    resumed: Option<Uuid>,
    request: &RunRequest,
    settings: &ToolSettings,
    own_login: bool,
) -> Vec<String> {
    let mut argv: Vec<String> =
        [program, "-p", "--output-format=stream-json", "--verbose", "--include-partial-messages"]
            .map(str::to_owned)
            .into();
    argv.push(format!("--model={model}"));
    argv.push(format!("--permission-mode={}", permission_mode(settings)));
    argv.push(match resumed {
        None => format!("--session-id={}", new_session(request)),
        Some(id) => format!("--resume={id}"),
    });
    if !settings.allowed_tools.is_empty() {
        argv.push(format!("--allowedTools={}", settings.allowed_tools.join(",")));
    }
    if !own_login {
        // The same result on every machine: no settings, hooks or servers from the working folder.
        argv.extend(["--setting-sources=".to_owned(), "--strict-mcp-config".to_owned()]);
    }
    if let Some(system) = system {
        argv.push(format!("--append-system-prompt={system}"));
    }
    if let Some(cost) = request.limits.cost_microusd {
        argv.push(format!("--max-budget-usd={:.6}", cost as f64 / 1e6));
    }
    argv.extend(settings.args.iter().cloned());
    argv
}

fn variables(
    request: &RunRequest,
    settings: &ToolSettings,
    identity: &Identity,
) -> Result<BTreeMap<String, String>, RefusalReason> {
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
    let Identity { account, own_login, home } = identity;
    if !own_login {
        env.insert(CONFIG_DIR.to_owned(), path_text(&request.dirs.state.join("config"))?);
    } else if let Some(folder) = home {
        env.insert(CONFIG_DIR.to_owned(), folder.clone());
    }
    env.extend(settings.env.clone());
    if metered(identity).is_some() {
        return Ok(env);
    }
    if account.base_place != Place::Public {
        env.insert(CLAUDE_CODE.address.to_owned(), account.base.as_str().trim_end_matches('/').to_owned());
    }
    if let Some(key) = &account.key {
        env.insert(key.variable.to_owned(), key.expose().to_owned());
    }
    Ok(env)
}

fn metered(identity: &Identity) -> Option<Metered> {
    let variable = identity.account.key.as_ref().map_or(CLAUDE_CODE.keys[0].0, |key| key.variable);
    identity.metered(&CLAUDE_CODE, Some(CLAUDE_CODE.address), variable)
}

fn permission_mode(settings: &ToolSettings) -> &str {
    settings.permission_mode.as_deref().unwrap_or(DEFAULT_PERMISSION_MODE)
}

/// The program, if it can be started as the settings ask.
fn usable_program(settings: &ToolSettings) -> Result<PathBuf, Obstacle> {
    extra::check(&settings.args, &OWNED)?;
    let program = find_program("claude", settings.path.as_deref()).ok_or_else(|| {
        Obstacle::Missing("install Claude Code (npm install -g @anthropic-ai/claude-code), or set its path".to_owned())
    })?;
    if is_shell_script(&program) {
        return Err(refuse_script(&program, "set the path of claude.exe"));
    }
    if permission_mode(settings) == BYPASS && is_root() && !settings.env.contains_key("IS_SANDBOX") {
        return Err(Obstacle::Missing(format!(
            "Claude Code refuses {BYPASS} to root: run the worker as another user, choose {DEFAULT_PERMISSION_MODE}, \
             or, where this machine is a sandbox, say so with IS_SANDBOX = \"1\" in the tool's env"
        )));
    }
    Ok(program)
}

fn check_login(identity: &Identity, settings: &ToolSettings) -> Result<(), Obstacle> {
    // The system's keychain holds the login on macOS, and only the tool may look into it.
    let is_signed_in = || cfg!(target_os = "macos") || has_own_login(identity, settings);
    if identity.account.key.is_some() || identity.own_login && is_signed_in() {
        return Ok(());
    }
    if let Place::Environment(name) = identity.account.base_place {
        return Err(Obstacle::NeedsLogin(format!(
            "{name} in the environment names an address, and no key stands beside it: set one, or own_login = true \
             for claude-code in worker.toml"
        )));
    }
    Err(Obstacle::NeedsLogin(
        "run `claude` once on this machine and sign in, or give it a key: `garageswarm tool login claude-code --key`"
            .to_owned(),
    ))
}

fn has_own_login(identity: &Identity, settings: &ToolSettings) -> bool {
    login_place(identity, settings).is_some_and(|folder| holds_credentials(&folder))
}

fn login_place(identity: &Identity, settings: &ToolSettings) -> Option<PathBuf> {
    identity.login_place(settings.env.get(CONFIG_DIR), ".claude")
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
