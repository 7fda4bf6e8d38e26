//! `garageswarm worker run`: the headless worker.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use swarm_agent::{Agent, AgentConfig, AgentError, AgentEvent, AgentHandle, Host, Key, LinkStatus};
use swarm_model::ToolName;
use swarm_server::ServerConfig;
use swarm_server::config::Log;
use swarm_server::telemetry::init_logging;
use swarm_tools::{GuardBinary, Variables};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::join::{self, JoinArgs};
use crate::config::{Flags, load};
use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::interrupt::StopSignals;
use crate::kept::KeptHost;
use crate::output::Output;
use crate::readable::plain;
use crate::start_code;

/// How long runs may go on after the worker was told to stop.
const DRAIN: Duration = Duration::from_mins(10);

#[derive(Debug, Args)]
#[command(
    after_help = "The first start joins the coordinator, by a link of `garageswarm worker invite` or with a key of `garageswarm key create`. Later starts need neither."
)]
pub(crate) struct RunArgs {
    /// The worker key; `-` reads it from standard input.
    #[arg(long, env = "GARAGESWARM_WORKER_KEY", hide_env_values = true, conflicts_with = "key_file")]
    key: Option<String>,
    #[command(flatten)]
    join: JoinArgs,
    /// A file that holds the worker key.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// What people will call this machine; its host name unless said otherwise. Kept.
    #[arg(long)]
    name: Option<String>,
    /// Tasks at once. Kept.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    slots: Option<u32>,
    /// Switch a tool on, as `command`. Kept; may be given several times.
    #[arg(long = "allow-tool", value_name = "TOOL")]
    allow_tools: Vec<ToolName>,
    /// The worker's own folder. Each worker of a machine needs one of its own.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) async fn run(args: RunArgs, context: &Context) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let quiet = ServerConfig { log: Log { filter: "warn".to_owned(), ..Log::default() }, ..ServerConfig::default() };
    let log = load(&Flags::default(), context, quiet)?.log;
    init_logging(&log, "garageswarm-worker").map_err(Failure::fault)?;
    let data_dir = match &args.data_dir {
        Some(named) => std::path::absolute(named)?,
        None => context.places.data_dir(None)?.join("worker"),
    };
    let link = args.join.link(context)?;
    let key = match &link {
        Some(link) => Some(Key::new(link.code())),
        None => key(&args)?,
    };
    let host = KeptHost::new(data_dir, GuardBinary::current()?, context.vault, context.output).with_key(key.is_some());
    let host: Arc<dyn Host> = Arc::new(host);
    let config = AgentConfig {
        coordinator: context.named().cloned(),
        fingerprint: None,
        key,
        same_coordinator: false,
        name: args.name,
        slots: args.slots,
        allow_tools: args.allow_tools,
        drain: DRAIN,
        variables: Variables::of_process(),
    };
    let mut agent = Agent::prepare(config.clone(), Arc::clone(&host)).await.map_err(refused)?;
    // Who belongs to that coordinator already was asked before, and the code is for a credential that is refused.
    if let Some(link) = link.as_ref().filter(|link| !join::is_of(link, &agent)) {
        let found = join::find(link).await?;
        args.join.consent(&found, &agent, context).await?;
        let config = AgentConfig { coordinator: Some(found.address), fingerprint: found.fingerprint, ..config };
        // One agent at a time has the folder.
        drop(agent);
        agent = Agent::prepare(config, host).await.map_err(refused)?;
    }
    let refused = |error| if link.is_some() { code_refused(error) } else { refused(error) };
    let handle = agent.handle();
    let shutdown = CancellationToken::new();
    let serving = agent.serve(shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map_err(refused),
        told = tell(handle, context.output) => told?,
        () = signals.next() => {}
    }
    context.output.remark("finishing what runs here; Ctrl-C again stops at once");
    shutdown.cancel();
    signals.unless_next(async { serving.await.map_err(refused) }).await
}

/// The key: from the flag, the environment, a file or standard input.
fn key(args: &RunArgs) -> Result<Option<Key>, Failure> {
    let text = match (&args.key, &args.key_file) {
        (Some(word), _) if word == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Some(text)
        }
        (Some(key), _) => Some(key.clone()),
        (None, Some(file)) => Some(
            std::fs::read_to_string(file)
                .map_err(|error| Failure::usage(format!("the key file {} cannot be read: {error}", file.display())))?,
        ),
        (None, None) => None,
    };
    match text {
        Some(text) if text.trim().is_empty() => Err(Failure::usage("the key is empty")),
        text => Ok(text.map(Key::new)),
    }
}

/// Tells what happens for as long as the agent lives.
async fn tell(handle: AgentHandle, output: Output) -> Result<(), Failure> {
    let mut events = handle.events();
    let mut is_known = false;
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            // The agent ends, and whoever waits for it says why.
            Err(RecvError::Closed) => return std::future::pending().await,
        };
        if output.is_json() {
            output.json_line(&event)?;
            continue;
        }
        let status = handle.status();
        let coordinator = status.coordinator.as_deref().unwrap_or("the coordinator");
        match event {
            AgentEvent::Link { link: LinkStatus::Connected } if !is_known => {
                is_known = true;
                output.text(&format!("ready {} at {coordinator}", plain(&status.name)))?;
                for tool in &status.tools {
                    let (state, fix) = crate::readable::tool_state(&tool.health);
                    let fix = fix.map(|fix| format!(": {}", plain(fix))).unwrap_or_default();
                    output.remark(&format!("  {} {state}{fix}", tool.name));
                }
                start_code::give_back();
            }
            AgentEvent::Link { link: LinkStatus::Connected } => output.remark("connected again"),
            AgentEvent::Link { link: LinkStatus::Waiting { reason } } => {
                output.remark(&format!("{reason}; trying again"));
            }
            AgentEvent::Link { link: LinkStatus::Connecting | LinkStatus::Stopped } | AgentEvent::Delivered { .. } => {}
            AgentEvent::Started { number, tool } => output.text(&format!("#{number} {tool} begins"))?,
            AgentEvent::Refused { number, reason } => {
                output.text(&format!("#{number} declined: {}", reason.sentence()))?;
            }
            AgentEvent::Ended { number, failure: None } => output.text(&format!("#{number} has ended"))?,
            AgentEvent::Ended { number, failure: Some(class) } => output.text(&format!("#{number} failed: {class}"))?,
        }
    }
}

/// What it means where the key is the code of a link.
fn code_refused(error: AgentError) -> Failure {
    match &error {
        AgentError::KeyRefused { coordinator, .. } => Failure::new(
            Exit::NoAccess,
            format!("{coordinator} refused the code of the link: it was used, is older than ten minutes, or is another coordinator's"),
        )
        .advise("make a new link there with `garageswarm worker invite`"),
        _ => refused(error),
    }
}

fn refused(error: AgentError) -> Failure {
    let exit = match &error {
        AgentError::KeyRefused { .. } | AgentError::CredentialRefused { .. } | AgentError::NoKey { .. } => {
            Exit::NoAccess
        }
        AgentError::NoCoordinator | AgentError::OtherCoordinator { .. } | AgentError::UnknownTool(_) => Exit::Usage,
        AgentError::InUse { .. } => Exit::Refused,
        AgentError::Folder { .. }
        | AgentError::Settings(_)
        | AgentError::Identity(_)
        | AgentError::Host(_)
        | AgentError::Coordinator { .. } => Exit::Fault,
    };
    let failure = Failure::new(exit, with_causes(&error));
    if matches!(error, AgentError::Host(_)) { failure.advise(MEND_KEYCHAIN) } else { failure }
}

/// What to do where the credential is out of reach.
const MEND_KEYCHAIN: &str = "unlock the keychain and start again, or join anew with a key of `garageswarm key create` \
    (--key; with GARAGESWARM_KEYCHAIN=off the new credential is kept in a file)";
