//! Codex, OpenAI's command-line agent, driven without a terminal.
//!
//! The prompt goes in on standard input (`-`), which is then closed. It gets a home of its own, unless the run
//! uses the person's own login. Its sandbox refuses to work where its home lies below the temporary folder, which
//! is the run's own here and so never holds a home. Left to itself it waits for a network for ever and tries an
//! answer again for minutes: both are the coordinator's matter.

mod failure;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use swarm_model::ToolName;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::RefusalReason;
use uuid::Uuid;

use self::stream::Stream;
use super::ledger::Ledger;
use super::program::{NpmProgram, Obstacle, check_mode, health, key_in_file, npm_program, session_to_resume};
use super::{Adapter, Needs, Patience, Plan, ProcessPlan, RunRequest, Way, known_name, path_text, prompt_of};
use crate::detect::{NodeProgram, Versions};
use crate::environment;
use crate::settings::ToolSettings;

/// What is asked for where nobody names a model. With the person's own login it is the account that decides.
const DEFAULT_MODEL: &str = "gpt-5.5";
/// Commands write into the working folder and reach no network.
const DEFAULT_SANDBOX: &str = "workspace-write";
const SANDBOXES: [&str; 3] = ["read-only", DEFAULT_SANDBOX, "danger-full-access"];
const DEFAULT_URL: &str = "https://api.openai.com/v1";
const PROGRAM: NpmProgram =
    NpmProgram { tool: "Codex", command: "codex", package: "@openai/codex", script: "bin/codex.js" };
/// Where the key of `api_key_file` goes.
const API_KEY: &str = "OPENAI_API_KEY";
/// Any one of these is a credential.
const CREDENTIALS: [&str; 2] = [API_KEY, "CODEX_API_KEY"];
const HOME: &str = "CODEX_HOME";

/// The adapter for Codex.
#[derive(Debug, Default)]
pub(crate) struct Codex {
    versions: Versions,
}

#[async_trait]
impl Adapter for Codex {
    fn name(&self) -> ToolName {
        known_name(ToolName::CODEX)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let program = usable_program(settings);
        let version = match &program {
            Ok(NodeProgram { path, version: None, .. }) => self.versions.of(path).await,
            Ok(NodeProgram { version, .. }) => version.clone(),
            Err(_) => None,
        };
        let health = health(program.and_then(|_| check_login(settings)));
        ToolInfo { name: self.name(), version, health, models: Vec::new(), max_concurrent: settings.max_concurrent }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let program = usable_program(settings)?;
        check_login(settings)?;
        let resumed = session_to_resume(request, "Codex")?;
        let asked = request.model.as_deref().or(settings.model.as_deref());
        let model = asked.or((!settings.uses_own_login()).then_some(DEFAULT_MODEL)).map(str::to_owned);
        let ledger = Ledger::open(request.dirs.state.join("sessions"), resumed);
        let folders = if settings.uses_own_login() { Vec::new() } else { vec![own_home(request)] };
        Ok(Plan {
            tool: self.name(),
            version: program.version.clone().or_else(|| self.versions.cached(&program.path)),
            patience: Patience::AGENT,
            way: Way::Process(ProcessPlan {
                argv: arguments(&program, model.as_deref(), system, resumed, settings)?,
                env: variables(request, settings)?,
                stdin: prompt.to_owned(),
                needs: Needs { folders, files: Vec::new() },
                parser: Box::new(Stream::new(ledger)),
            }),
            model,
        })
    }
}

/// Values stand behind `=`: one that begins with `-` must not become a flag.
fn arguments(
    program: &NodeProgram,
    model: Option<&str>,
    system: Option<&str>,
    resumed: Option<Uuid>,
    settings: &ToolSettings,
) -> Result<Vec<String>, RefusalReason> {
    let mut argv = program.words()?;
    argv.push("exec".to_owned());
    if let Some(id) = resumed {
        argv.extend(["resume".to_owned(), id.to_string()]);
    }
    argv.extend(["--json", "--skip-git-repo-check"].map(str::to_owned));
    argv.extend(model.map(|model| format!("--model={model}")));
    argv.extend(configuration(system, settings).into_iter().map(|line| format!("--config={line}")));
    argv.push("-".to_owned());
    Ok(argv)
}

/// What stands above the configuration file, as lines of TOML.
fn configuration(system: Option<&str>, settings: &ToolSettings) -> Vec<String> {
    let mut lines = vec![
        // `exec resume` has no flag for it.
        format!("sandbox_mode={}", quoted(sandbox(settings))),
        "features.unbounded_connection_retries=false".to_owned(),
        "check_for_update_on_startup=false".to_owned(),
        "analytics.enabled=false".to_owned(),
    ];
    if !settings.uses_own_login() {
        // Both fetch what they know from the network when the tool starts.
        lines.extend(["features.plugins=false".to_owned(), "features.apps=false".to_owned()]);
    }
    let credential = credential(settings);
    if let Some(name) = credential {
        // Its commands are not to see the key.
        lines.push(format!("shell_environment_policy.exclude=[{}]", quoted(name)));
    }
    if credential.is_some() || settings.url.is_some() {
        lines.push("model_provider=\"garageswarm\"".to_owned());
        lines.push(format!("model_providers.garageswarm={}", provider(credential, settings)));
    }
    lines.extend(system.map(|system| format!("developer_instructions={}", quoted(system))));
    lines
}

/// The provider behind an address and a key: a built-in one takes neither from its environment.
fn provider(credential: Option<&str>, settings: &ToolSettings) -> String {
    let url = quoted(settings.url.as_deref().unwrap_or(DEFAULT_URL));
    let identity = match credential {
        Some(name) => format!("env_key={}", quoted(name)),
        None => "requires_openai_auth=true".to_owned(),
    };
    format!(
        "{{name=\"GarageSwarm\",base_url={url},wire_api=\"responses\",{identity},\
         request_max_retries=1,stream_max_retries=2}}"
    )
}

/// A string of TOML, whose escapes are those of JSON but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn variables(request: &RunRequest, settings: &ToolSettings) -> Result<BTreeMap<String, String>, RefusalReason> {
    let mut env = environment::scrubbed(&request.dirs);
    if !settings.uses_own_login() {
        env.insert(HOME.to_owned(), path_text(&own_home(request))?);
    } else if let Ok(folder) = std::env::var(HOME) {
        env.insert(HOME.to_owned(), folder);
    }
    if let Some(key) = key_in_file(settings)? {
        env.insert(API_KEY.to_owned(), key);
    }
    env.extend(settings.env.clone());
    Ok(env)
}

fn own_home(request: &RunRequest) -> PathBuf {
    request.dirs.state.join("home")
}

fn sandbox(settings: &ToolSettings) -> &str {
    settings.permission_mode.as_deref().unwrap_or(DEFAULT_SANDBOX)
}

/// The variable that holds the credential, where the owner set one.
fn credential(settings: &ToolSettings) -> Option<&'static str> {
    let in_file = settings.api_key_file.is_some().then_some(API_KEY);
    in_file.or_else(|| CREDENTIALS.into_iter().find(|name| settings.env.contains_key(*name)))
}

/// The program, if it can be started as the settings ask. npm puts a script for Node on PATH; others the program.
fn usable_program(settings: &ToolSettings) -> Result<NodeProgram, Obstacle> {
    check_mode(sandbox(settings), &SANDBOXES, "Codex")?;
    npm_program(&PROGRAM, settings)
}

fn check_login(settings: &ToolSettings) -> Result<(), Obstacle> {
    if credential(settings).is_some() || settings.uses_own_login() && has_own_login(settings) {
        return Ok(());
    }
    Err(Obstacle::NeedsLogin(
        "run `codex login` once on this machine, or set api_key_file for codex in worker.toml".to_owned(),
    ))
}

fn has_own_login(settings: &ToolSettings) -> bool {
    let configured = settings.env.get(HOME).map(PathBuf::from);
    let inherited = || std::env::var_os(HOME).map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".codex"));
    let home = configured.or_else(inherited).or_else(usual);
    home.is_some_and(|home| home.join("auth.json").is_file() || may_be_signed_in(&home))
}

/// Where the person chose the system's keychain, or a provider that may want no login, only the tool knows.
fn may_be_signed_in(home: &Path) -> bool {
    let configuration = std::fs::read_to_string(home.join("config.toml")).unwrap_or_default();
    configuration.lines().any(|line| {
        let key = line.split('=').next().unwrap_or("").trim();
        matches!(key, "cli_auth_credentials_store" | "model_provider")
    })
}

#[cfg(test)]
mod tests;
