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
use swarm_model::tool::{self, ToolInfo};
use swarm_model::worker::RefusalReason;
use uuid::Uuid;

use self::stream::Stream;
use super::api::take_key;
use super::extra::{self, Owned};
use super::ledger::Ledger;
use super::openai_api::OpenAi;
use super::program::{Identity, NpmProgram, Pricing, check_mode, found, npm_program, session_to_resume};
use super::{Adapter, Needs, Patience, Plan, ProcessPlan, RunRequest, Way, known_name, path_text, prompt_of};
use crate::account::{CODEX, KeyError, Obstacle, Place, TakenKey};
use crate::detect::{NodeProgram, Versions};
use crate::environment;
use crate::meter::Meter;
use crate::proxy::{ADDRESS, Metered};
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// What is asked for where nobody names a model. With the person's own login it is the account that decides.
const DEFAULT_MODEL: &str = "gpt-5.5";
/// Commands write into the working folder and reach no network.
const DEFAULT_SANDBOX: &str = "workspace-write";
const SANDBOXES: [&str; 3] = ["read-only", DEFAULT_SANDBOX, "danger-full-access"];
const PROGRAM: NpmProgram =
    NpmProgram { tool: "Codex", command: "codex", package: "@openai/codex", script: "bin/codex.js" };
const HOME: &str = "CODEX_HOME";
/// Prompt, output, session, sandbox and what goes with them are ours.
const OWNED: Owned = Owned {
    tool: "Codex",
    names: &[
        "json",
        "experimentaljson",
        "color",
        "outputlastmessage",
        "outputschema",
        "skipgitrepocheck",
        "model",
        "oss",
        "localprovider",
        "sandbox",
        "askforapproval",
        "fullauto",
        "yolo",
        "dangerouslybypassapprovalsandsandbox",
        "dangerouslybypasshooktrust",
        "approveforme",
        "trust",
        "ignorerules",
        // They say what `config` says, in other words.
        "enable",
        "disable",
        "cd",
        "worktree",
        "last",
        "all",
        "ephemeral",
        "remote",
        "remoteauthtokenenv",
        "help",
        "version",
    ],
    entries: Some((
        "config",
        &[
            "sandbox_mode",
            "approval_policy",
            "features.unbounded_connection_retries",
            "features.plugins",
            "features.apps",
            "check_for_update_on_startup",
            "analytics.enabled",
            "shell_environment_policy",
            "model",
            "model_provider",
            "model_providers",
            "developer_instructions",
        ],
    )),
};
/// Whom it talks to with a login of its own.
const LOGIN_HOSTS: [&str; 2] = ["chatgpt.com", "auth.openai.com"];

/// The adapter for Codex.
#[derive(Debug)]
pub(crate) struct Codex {
    versions: Versions,
    variables: Variables,
}

impl Codex {
    pub(crate) fn new(variables: Variables) -> Self {
        Self { versions: Versions::default(), variables }
    }

    fn identity(&self, settings: &ToolSettings) -> Result<Identity, Obstacle> {
        Identity::of(&CODEX, HOME, settings, &self.variables)
    }
}

#[async_trait]
impl Adapter for Codex {
    fn name(&self) -> ToolName {
        known_name(ToolName::CODEX)
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
        let resumed = session_to_resume(request, "Codex")?;
        let asked = request.model.as_deref().or(settings.model.as_deref());
        let model = asked.or((!identity.own_login).then_some(DEFAULT_MODEL));
        let ledger = Ledger::open(request.dirs.state.join("sessions"), resumed);
        let pricing = Pricing::of(&identity, model, settings);
        let folders = if identity.own_login { Vec::new() } else { vec![own_home(request)] };
        Ok(Plan {
            tool: self.name(),
            version: program.version.clone().or_else(|| self.versions.cached(&program.path)),
            patience: Patience::AGENT,
            meter: Meter::of(&request.limits, settings),
            way: Way::Process(ProcessPlan {
                argv: arguments(&program, model, system, resumed, settings, &identity)?,
                env: variables(request, settings, &identity)?,
                stdin: prompt.to_owned(),
                needs: Needs { folders, files: Vec::new() },
                reach: identity.reach(request, login_place(&identity, settings), &LOGIN_HOSTS)?,
                metered: metered(&identity).map(Box::new),
                parser: Box::new(Stream::new(ledger, pricing)),
            }),
            model: model.map(str::to_owned),
        })
    }

    fn account(&self, settings: &ToolSettings) -> Option<String> {
        Some(self.identity(settings).ok()?.sentence())
    }

    fn check(&self, settings: &ToolSettings) -> Result<(), String> {
        extra::check(&settings.args, &OWNED).map_err(|obstacle| obstacle.words().to_owned())
    }

    async fn take_key(&self, key: &str, settings: &ToolSettings, check: bool) -> Result<TakenKey, KeyError> {
        take_key(&OpenAi, &CODEX, key, settings, &self.variables, check).await
    }

    fn own_login(&self) -> Option<&'static str> {
        Some("run `codex login` once on this machine")
    }

    fn payer(&self, settings: &ToolSettings) -> Option<tool::Account> {
        self.identity(settings).ok()?.payer()
    }
}

/// Values stand behind `=`: one that begins with `-` must not become a flag.
fn arguments(
    program: &NodeProgram,
    model: Option<&str>,
    system: Option<&str>,
    resumed: Option<Uuid>,
    settings: &ToolSettings,
    identity: &Identity,
) -> Result<Vec<String>, RefusalReason> {
    let mut argv = program.words()?;
    argv.push("exec".to_owned());
    if let Some(id) = resumed {
        argv.extend(["resume".to_owned(), id.to_string()]);
    }
    argv.extend(["--json", "--skip-git-repo-check"].map(str::to_owned));
    argv.extend(model.map(|model| format!("--model={model}")));
    argv.extend(configuration(system, settings, identity).into_iter().map(|line| format!("--config={line}")));
    argv.extend(settings.args.iter().cloned());
    argv.push("-".to_owned());
    Ok(argv)
}

/// What stands above the configuration file, as lines of TOML.
fn configuration(system: Option<&str>, settings: &ToolSettings, identity: &Identity) -> Vec<String> {
    let mut lines = vec![
        // `exec resume` has no flag for it.
        format!("sandbox_mode={}", quoted(sandbox(settings))),
        "features.unbounded_connection_retries=false".to_owned(),
        "check_for_update_on_startup=false".to_owned(),
        "analytics.enabled=false".to_owned(),
    ];
    if !identity.own_login {
        // Both fetch what they know from the network when the tool starts.
        lines.extend(["features.plugins=false".to_owned(), "features.apps=false".to_owned()]);
    }
    let key = identity.account.key.as_ref().map(|key| key.variable);
    if let Some(variable) = metered(identity).map(|metered| metered.token_variable).or(key) {
        // Its commands are not to see the key.
        lines.push(format!("shell_environment_policy.exclude=[{}]", quoted(variable)));
    }
    if !identity.account.is_unset() {
        lines.push("model_provider=\"garageswarm\"".to_owned());
        lines.push(format!("model_providers.garageswarm={}", provider(identity)));
    }
    lines.extend(system.map(|system| format!("developer_instructions={}", quoted(system))));
    lines
}

/// The provider behind an address and a key: a built-in one takes neither from its environment. An address without a
/// key gets the person's login where that is wanted, and otherwise nothing: it is a server of one's own.
fn provider(identity: &Identity) -> String {
    let (url, variable) = match metered(identity) {
        Some(metered) => (ADDRESS, Some(metered.token_variable)),
        None => (identity.account.base.as_str(), identity.account.key.as_ref().map(|key| key.variable)),
    };
    let url = quoted(url.trim_end_matches('/'));
    let credential = match variable {
        Some(variable) => format!("env_key={},", quoted(variable)),
        None if identity.own_login => "requires_openai_auth=true,".to_owned(),
        None => String::new(),
    };
    format!(
        "{{name=\"GarageSwarm\",base_url={url},wire_api=\"responses\",{credential}\
         request_max_retries=1,stream_max_retries=2}}"
    )
}

/// A string of TOML, whose escapes are those of JSON but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn variables(
    request: &RunRequest,
    settings: &ToolSettings,
    identity: &Identity,
) -> Result<BTreeMap<String, String>, RefusalReason> {
    let mut env = environment::scrubbed(&request.dirs);
    let Identity { account, own_login, home } = identity;
    if !own_login {
        env.insert(HOME.to_owned(), path_text(&own_home(request))?);
    } else if let Some(folder) = home {
        env.insert(HOME.to_owned(), folder.clone());
    }
    env.extend(settings.env.clone());
    if let Some(key) = account.key.as_ref().filter(|_| metered(identity).is_none()) {
        env.insert(key.variable.to_owned(), key.expose().to_owned());
    }
    Ok(env)
}

fn metered(identity: &Identity) -> Option<Metered> {
    let variable = identity.account.key.as_ref().map_or(CODEX.keys[0].0, |key| key.variable);
    identity.metered(&CODEX, None, variable)
}

fn own_home(request: &RunRequest) -> PathBuf {
    request.dirs.state.join("home")
}

fn sandbox(settings: &ToolSettings) -> &str {
    settings.permission_mode.as_deref().unwrap_or(DEFAULT_SANDBOX)
}

/// The program, if it can be started as the settings ask. npm puts a script for Node on PATH; others the program.
fn usable_program(settings: &ToolSettings) -> Result<NodeProgram, Obstacle> {
    check_mode(sandbox(settings), &SANDBOXES, "Codex")?;
    extra::check(&settings.args, &OWNED)?;
    npm_program(&PROGRAM, settings)
}

fn check_login(identity: &Identity, settings: &ToolSettings) -> Result<(), Obstacle> {
    let account = &identity.account;
    // Whoever sets an address here knows whether it wants a key; one that lies about may be meant for a login.
    let is_set = matches!(account.base_place, Place::Settings(_) | Place::SettingsVariable(_));
    let is_own_server = !identity.own_login && is_set;
    if account.key.is_some() || is_own_server || identity.own_login && has_own_login(identity, settings) {
        return Ok(());
    }
    if let Place::Environment(name) = account.base_place {
        return Err(Obstacle::NeedsLogin(format!(
            "{name} in the environment names an address, and no key stands beside it: set one, or own_login = true \
             for codex in worker.toml"
        )));
    }
    Err(Obstacle::NeedsLogin(
        "run `codex login` once on this machine, or give it a key: `garageswarm tool login codex --key`".to_owned(),
    ))
}

fn has_own_login(identity: &Identity, settings: &ToolSettings) -> bool {
    let home = login_place(identity, settings);
    home.is_some_and(|home| home.join("auth.json").is_file() || may_be_signed_in(&home))
}

fn login_place(identity: &Identity, settings: &ToolSettings) -> Option<PathBuf> {
    identity.login_place(settings.env.get(HOME), ".codex")
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
