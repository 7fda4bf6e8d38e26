//! Gemini CLI, Google's command-line agent, driven without a terminal.
//!
//! The prompt goes in on standard input alone. The tool gets a home of its own with settings in it, unless the run
//! uses the person's own login: there it is told to give up early. It must be told to trust the working folder, or
//! it would not work in it; because it reads settings before it reads that, those of the folder are not heeded.
//! A session is kept by working folder, so that one to go on with is handed over as a file.

mod failure;
mod session;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};
use swarm_model::ToolName;
use swarm_model::tool::{self, ToolInfo};
use swarm_model::worker::RefusalReason;

use self::stream::Stream;
use super::api::take_key;
use super::extra::{self, Owned};
use super::gemini_api::Gemini;
use super::program::{Identity, NpmProgram, Pricing, check_mode, found, new_session, npm_program, session_to_resume};
use super::{Adapter, Needs, Patience, Plan, ProcessPlan, RunRequest, Way, known_name, path_text, prompt_of};
use crate::account::{GEMINI, KeyError, Obstacle, Place, TakenKey, VERTEX};
use crate::detect::{NodeProgram, Versions};
use crate::environment;
use crate::meter::Meter;
use crate::proxy::Metered;
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// What is asked for where nobody names a model: without one the tool asks a model which to ask.
const DEFAULT_MODEL: &str = "flash";
/// Edits of files pass; commands need a rule of the owner, and are not even offered to the model without one.
const DEFAULT_MODE: &str = "auto_edit";
const MODES: [&str; 4] = ["default", DEFAULT_MODE, "yolo", "plan"];
const HOME: &str = "GEMINI_CLI_HOME";
/// Whom it talks to with a login of its own.
const LOGIN_HOSTS: [&str; 3] = ["cloudcode-pa.googleapis.com", "oauth2.googleapis.com", "www.googleapis.com"];
const PROGRAM: NpmProgram =
    NpmProgram { tool: "Gemini CLI", command: "gemini", package: "@google/gemini-cli", script: "bundle/gemini.js" };
/// Prompt, output, session, approval and what goes with them are ours.
const OWNED: Owned = Owned {
    tool: "Gemini CLI",
    names: &[
        "prompt",
        "promptinteractive",
        "outputformat",
        "rawoutput",
        "acceptrawoutputrisk",
        "screenreader",
        "model",
        "approvalmode",
        "yolo",
        "allowedtools",
        "policy",
        "adminpolicy",
        "skiptrust",
        "sessionid",
        "sessionfile",
        "resume",
        "listsessions",
        "deletesession",
        "listextensions",
        "acp",
        "experimentalacp",
        "worktree",
        "debug",
        "help",
        "version",
    ],
    entries: None,
};
/// The tool reads no more from its standard input, and says nothing of the rest.
const MAX_PROMPT_BYTES: usize = 8 * 1024 * 1024;

/// The adapter for Gemini CLI.
#[derive(Debug)]
pub(crate) struct GeminiCli {
    versions: Versions,
    variables: Variables,
}

impl GeminiCli {
    pub(crate) fn new(variables: Variables) -> Self {
        Self { versions: Versions::default(), variables }
    }

    fn identity(&self, settings: &ToolSettings) -> Result<Identity, Obstacle> {
        Identity::of(&GEMINI, HOME, settings, &self.variables)
    }
}

#[async_trait]
impl Adapter for GeminiCli {
    fn name(&self) -> ToolName {
        known_name(ToolName::GEMINI_CLI)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let program = usable_program(settings);
        let version = match &program {
            Ok(program) => program.version_by(&self.versions).await,
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
        let home = home(request, settings, &identity);
        let model = request.model.as_deref().or(settings.model.as_deref()).unwrap_or(DEFAULT_MODEL).to_owned();
        let pricing = Pricing::of(&identity, Some(&model), settings);
        let files = if identity.own_login {
            Vec::new()
        } else {
            vec![(home.join(".gemini").join("settings.json"), own_settings(settings).to_string())]
        };
        Ok(Plan {
            tool: self.name(),
            version: program.version.clone().or_else(|| self.versions.cached(&program.path)),
            patience: Patience::AGENT,
            meter: Meter::of(&request.limits, settings),
            way: Way::Process(ProcessPlan {
                argv: arguments(&program, &model, &home, request, settings)?,
                env: variables(&home, request, settings, &identity)?,
                stdin: input(prompt, system)?,
                needs: Needs { folders: Vec::new(), files },
                reach: identity.reach(request, Some(home.join(".gemini")), &LOGIN_HOSTS)?,
                metered: metered(settings, &identity).map(Box::new),
                parser: Box::new(Stream::new(home, pricing)),
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
        take_key(&Gemini, &GEMINI, key, settings, &self.variables, check).await
    }

    fn own_login(&self) -> Option<&'static str> {
        Some("run `gemini` once on this machine and sign in")
    }

    fn payer(&self, settings: &ToolSettings) -> Option<tool::Account> {
        self.identity(settings).ok()?.payer()
    }
}

/// Values stand behind `=`: one that begins with `-` must not become a flag. A flag given twice ends the tool.
fn arguments(
    program: &NodeProgram,
    model: &str,
    home: &Path,
    request: &RunRequest,
    settings: &ToolSettings,
) -> Result<Vec<String>, RefusalReason> {
    let mut argv = program.words()?;
    argv.extend(["--output-format=stream-json", "--skip-trust"].map(str::to_owned));
    argv.push(format!("--approval-mode={}", mode(settings)));
    argv.push(format!("--model={model}"));
    if !settings.allowed_tools.is_empty() {
        argv.push(format!("--allowed-tools={}", settings.allowed_tools.join(",")));
    }
    argv.push(match session_to_resume(request, "Gemini CLI")? {
        None => format!("--session-id={}", new_session(request)),
        Some(id) => match session::file(home, id) {
            Some(file) => format!("--session-file={}", path_text(&file)?),
            // The tool says itself that it has none.
            None => format!("--resume={id}"),
        },
    });
    argv.extend(settings.args.iter().cloned());
    Ok(argv)
}

/// The prompt, behind the instructions: the tool has no other place for them.
fn input(prompt: &str, system: Option<&str>) -> Result<String, RefusalReason> {
    let input = system.map_or_else(|| prompt.to_owned(), |system| format!("{system}\n\n{prompt}"));
    if input.len() > MAX_PROMPT_BYTES {
        let detail = format!("Gemini CLI takes a prompt of {MAX_PROMPT_BYTES} bytes, not of {}", input.len());
        return Err(RefusalReason::InvalidInput { detail });
    }
    Ok(input)
}

/// The settings in a home of its own.
fn own_settings(settings: &ToolSettings) -> Value {
    json!({
        "general": { "maxAttempts": 2, "enableAutoUpdate": false, "enableAutoUpdateNotification": false },
        "privacy": { "usageStatisticsEnabled": false },
        "security": {
            // Without it an address of one's own is taken for a way to sign in that the tool then refuses.
            "auth": { "selectedType": if is_vertex(settings) { "vertex-ai" } else { "gemini-api-key" } },
            // Its commands are not to see the key.
            "environmentVariableRedaction": { "enabled": true },
        },
        "advanced": { "ignoreLocalEnv": true },
    })
}

fn variables(
    home: &Path,
    request: &RunRequest,
    settings: &ToolSettings,
    identity: &Identity,
) -> Result<BTreeMap<String, String>, RefusalReason> {
    let mut env = environment::scrubbed(&request.dirs);
    // One process of Node instead of two.
    env.insert("GEMINI_CLI_NO_RELAUNCH".to_owned(), "true".to_owned());
    if !identity.own_login {
        env.insert(HOME.to_owned(), path_text(home)?);
    } else if let Some(folder) = &identity.home {
        env.insert(HOME.to_owned(), folder.clone());
    }
    env.extend(settings.env.clone());
    if metered(settings, identity).is_some() {
        return Ok(env);
    }
    if let Some(address) = identity.address() {
        env.insert(GEMINI.address.to_owned(), address);
    }
    if let Some(key) = &identity.account.key {
        env.insert(key_variable(settings).to_owned(), key.expose().to_owned());
    }
    Ok(env)
}

/// It looks for a key of the Gemini API in one variable only, and for one of Vertex AI in the other.
fn key_variable(settings: &ToolSettings) -> &'static str {
    if is_vertex(settings) { "GOOGLE_API_KEY" } else { "GEMINI_API_KEY" }
}

fn metered(settings: &ToolSettings, identity: &Identity) -> Option<Metered> {
    let provider = if is_vertex(settings) { &VERTEX } else { &GEMINI };
    let mut metered = identity.metered(provider, Some(provider.address), key_variable(settings))?;
    if is_vertex(settings) && metered.account.base_place == Place::Public {
        metered.account.base = provider.home()?;
    }
    Some(metered)
}

/// Whether the owner chose Vertex AI, in the tool's own way.
fn is_vertex(settings: &ToolSettings) -> bool {
    settings.env.get("GOOGLE_GENAI_USE_VERTEXAI").is_some_and(|value| value == "true" || value == "1")
}

fn mode(settings: &ToolSettings) -> &str {
    settings.permission_mode.as_deref().unwrap_or(DEFAULT_MODE)
}

/// The folder that holds the tool's `.gemini`.
fn home(request: &RunRequest, settings: &ToolSettings, identity: &Identity) -> PathBuf {
    let own = || own_home(settings, identity);
    identity.own_login.then(own).flatten().unwrap_or_else(|| request.dirs.state.join("home"))
}

/// The same, of the person.
fn own_home(settings: &ToolSettings, identity: &Identity) -> Option<PathBuf> {
    let configured = settings.env.get(HOME).or(identity.home.as_ref()).map(PathBuf::from);
    configured.or_else(std::env::home_dir)
}

/// The program, if it can be started as the settings ask.
fn usable_program(settings: &ToolSettings) -> Result<NodeProgram, Obstacle> {
    check_mode(mode(settings), &MODES, "Gemini CLI")?;
    extra::check(&settings.args, &OWNED)?;
    npm_program(&PROGRAM, settings)
}

fn check_login(identity: &Identity, settings: &ToolSettings) -> Result<(), Obstacle> {
    let is_signed_in = || own_home(settings, identity).is_some_and(|home| is_signed_in(&home));
    if identity.account.key.is_some() || identity.own_login && is_signed_in() {
        return Ok(());
    }
    Err(Obstacle::NeedsLogin(
        "run `gemini` once on this machine and sign in, or give it a key: `garageswarm tool login gemini-cli --key`"
            .to_owned(),
    ))
}

/// Without a login the tool would open a browser, and wait for somebody to look at it.
fn is_signed_in(home: &Path) -> bool {
    let folder = home.join(".gemini");
    if ["oauth_creds.json", "gemini-credentials.json"].iter().any(|name| folder.join(name).is_file()) {
        return true;
    }
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    // The keychain may hold what the person chose once, and only the tool may look into it.
    let chose = cfg!(any(windows, target_os = "macos")) && text("settings.json").contains("\"selectedType\"");
    chose || GEMINI.keys.iter().any(|(name, _)| text(".env").contains(name))
}

#[cfg(test)]
mod tests;
