//! The worker of this machine: how it stands, its settings, who else may use it. Everything goes through the agent
//! that runs, over its local socket; only reading the settings works without one.

use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use serde::Serialize;
use swarm_agent::{
    AgentControl as _, AgentStatus, Changed, ControlClient, ControlError, ControlReply, Dollars, Grant, Preferences,
};
use swarm_model::{Isolation, ToolName};
use swarm_tools::{Registry, Variables};

use super::{local_words, person};
use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::readable::plain;

#[derive(Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// How the worker of this machine stands: its link, its tools, what runs, who may use it.
    Status(StatusArgs),
    /// The settings of the worker of this machine.
    #[command(subcommand)]
    Prefs(PrefsCommand),
    /// What the worker of this machine keeps on its disk, and what of it may go.
    Disk(super::disk::DiskArgs),
    /// Let somebody else use a tool of this machine. Given again, it replaces the earlier grant.
    Grant(GrantArgs),
    /// Take back what was granted to somebody.
    Ungrant(UngrantArgs),
}

/// Which worker of this machine is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Folder {
    /// The worker's own folder; the one that runs here where it is not named.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Go on telling what changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PrefsCommand {
    /// The effective settings, defaults among them.
    Show(Folder),
    /// Change one setting; it counts at once.
    #[command(after_help = "Examples:
  garageswarm worker prefs set slots 4
  garageswarm worker prefs set tools.command.enabled true
  garageswarm worker prefs set labels.room attic")]
    Set {
        /// Which: `slots`, `keep.hours`, `tools.command.enabled`, ...
        key: String,
        /// To what.
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        folder: Folder,
    },
    /// Bring one setting back to its default.
    Unset {
        /// Which.
        key: String,
        #[command(flatten)]
        folder: Folder,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// Who: a name or an id on the coordinator, or `everyone`.
    person: String,
    /// Which tool.
    tool: ToolName,
    /// Runs of that person at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    slots: Option<u32>,
    /// Runs of that person in a day.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs_per_day: Option<u32>,
    /// What the runs of that person may cost in a day, as far as they report it.
    #[arg(long, value_name = "USD")]
    cost_per_day: Option<Dollars>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub(crate) struct UngrantArgs {
    /// Who: a name or an id on the coordinator, or `everyone`.
    person: String,
    /// Which tool; every tool where none is named.
    tool: Option<ToolName>,
    #[command(flatten)]
    folder: Folder,
}

/// Carries out what is asked of the worker of this machine.
pub(crate) async fn run(command: LocalCommand, context: &Context) -> Result<(), Failure> {
    match command {
        LocalCommand::Status(args) if args.watch => watch(&find(&args.folder, context).await?, context).await,
        LocalCommand::Status(args) => {
            let (worker, status) = found(&args.folder, context).await?;
            context.output.object(&status, |status| local_words::status(status, worker.data_dir(), context.now()))
        }
        LocalCommand::Disk(args) => super::disk::disk(args, context).await,
        LocalCommand::Prefs(PrefsCommand::Show(folder)) => show(&folder, context).await,
        LocalCommand::Prefs(PrefsCommand::Set { key, value, folder }) => {
            let changed = find(&folder, context).await?.set_preference(&key, &value).await;
            tell(changed.map_err(refused)?, context, &format!("{key} is set"))
        }
        LocalCommand::Prefs(PrefsCommand::Unset { key, folder }) => {
            let changed = find(&folder, context).await?.unset_preference(&key).await;
            tell(changed.map_err(refused)?, context, &format!("{key} is back at its default"))
        }
        LocalCommand::Grant(args) => grant(args, context).await,
        LocalCommand::Ungrant(args) => {
            let (worker, status) = found(&args.folder, context).await?;
            let (who, _) = person::find(&args.person, &status, context).await?;
            let changed = worker.ungrant(who, args.tool.clone()).await.map_err(refused)?;
            let what = args.tool.map_or_else(|| "any tool".to_owned(), |tool| tool.to_string());
            tell(changed, context, &format!("{} may no longer use {what} here", plain(&args.person)))
        }
    }
}

/// The owner's pause on this machine, set or lifted.
pub(crate) async fn set_paused(folder: &Folder, paused: bool, context: &Context) -> Result<(), Failure> {
    let (worker, status) = found(folder, context).await?;
    let done = if paused { worker.pause().await } else { worker.resume().await };
    done.map_err(refused)?;
    let now = worker.status_now().await.map_err(refused)?;
    context.output.object(&now, |now| {
        let name = plain(&status.name);
        let other = if now.pauses.by_coordinator { "; the coordinator has paused it too" } else { "" };
        if paused {
            format!("{name} is paused on this machine; what runs goes on. `garageswarm worker resume` lifts it{other}")
        } else {
            format!("{name} takes tasks again{other}")
        }
    })
}

async fn grant(args: GrantArgs, context: &Context) -> Result<(), Failure> {
    let (worker, status) = found(&args.folder, context).await?;
    let (who, name) = person::find(&args.person, &status, context).await?;
    let is_by_id = name.is_none();
    let GrantArgs { person, tool, slots, runs_per_day, cost_per_day, .. } = args;
    let is_enabled = status.tools.iter().all(|known| known.name != tool || !is_off(known));
    let grant = Grant { name, slots, runs_per_day, cost_per_day_usd: cost_per_day, ..Grant::new(tool.clone(), who) };
    let changed = worker.grant(grant).await.map_err(refused)?;
    tell(changed, context, &format!("{} may use {tool} here", plain(&person)))?;
    let output = context.output;
    if tool.runs_programs() {
        output.remark(&match status.isolation.level {
            Isolation::Sandbox | Isolation::Container => {
                format!("{tool} can run programs: those of other people run in a sandbox here")
            }
            Isolation::None | Isolation::Own => format!(
                "{tool} can run programs: tasks of other people are refused until this machine has a sandbox for them"
            ),
        });
    }
    if !is_enabled {
        output.remark(&format!("{tool} is off here: `garageswarm worker prefs set tools.{tool}.enabled true`"));
    }
    // Who is known by name has a share already.
    if is_by_id {
        let share = if who.user_id().is_none() { "everyone".to_owned() } else { plain(&person) };
        output.remark(&format!(
            "on the coordinator they also need: `garageswarm worker share {} {share}`",
            status.worker_id.map_or_else(|| plain(&status.name), |id| id.to_string())
        ));
    }
    Ok(())
}

fn is_off(tool: &swarm_model::tool::ToolInfo) -> bool {
    tool.health == swarm_model::tool::ToolHealth::NotAllowed
}

/// Prints a change, and what of it does not count yet.
fn tell(changed: Changed, context: &Context, done: &str) -> Result<(), Failure> {
    context.output.object(&changed, |_| done.to_owned())?;
    for sentence in &changed.later {
        context.output.remark(sentence);
    }
    Ok(())
}

async fn show(folder: &Folder, context: &Context) -> Result<(), Failure> {
    let running = find(folder, context).await;
    let preferences = match running {
        Ok(worker) => worker.preferences().await.map_err(refused)?,
        // Reading needs nobody; where there is no file either, it is told how to start one.
        Err(failure) => match read(folder, context)? {
            Some(preferences) => {
                context.output.remark("no worker runs here: these settings count at its next start");
                preferences
            }
            None => return Err(failure),
        },
    };
    let words = toml::to_string_pretty(&preferences.settings).map_err(Failure::fault)?;
    context.output.object(&preferences, |preferences| format!("# {}\n\n{words}", preferences.file.display()))
}

/// The settings in the folders where a worker may be.
fn read(folder: &Folder, context: &Context) -> Result<Option<Preferences>, Failure> {
    let known: Vec<_> = Registry::standard(&Variables::default()).names().cloned().collect();
    for data_dir in folders(folder, context)? {
        let read = Preferences::read(&data_dir, &known);
        if let Some(preferences) = read.map_err(|error| Failure::new(Exit::Fault, with_causes(&error)))? {
            return Ok(Some(preferences));
        }
    }
    Ok(None)
}

/// A line of `status --watch --json`: the object that changed, or what happened.
#[derive(Serialize)]
#[serde(untagged)]
enum Seen<'a> {
    Status(&'a AgentStatus),
    Event(&'a swarm_agent::AgentEvent),
}

async fn watch(worker: &ControlClient, context: &Context) -> Result<(), Failure> {
    let mut seen = pin!(worker.watch().await.map_err(refused)?);
    let mut last = String::new();
    while let Some(reply) = seen.next().await {
        match reply {
            Ok(ControlReply::Status { status }) => {
                context.output.json_line(&Seen::Status(&status))?;
                let words = local_words::line(&status);
                if !context.output.is_json() && words != last {
                    context.output.text(&words)?;
                    last = words;
                }
            }
            Ok(ControlReply::Event { event }) => {
                context.output.json_line(&Seen::Event(&event))?;
                if let Some(words) = local_words::event(&event).filter(|_| !context.output.is_json()) {
                    context.output.text(&words)?;
                }
            }
            Ok(_) => {}
            Err(ControlError::Stopped) => break,
            Err(error) => return Err(refused(error)),
        }
    }
    context.output.remark("the worker has stopped");
    Ok(())
}

/// The worker that is meant, and how it stands.
async fn found(folder: &Folder, context: &Context) -> Result<(ControlClient, AgentStatus), Failure> {
    let worker = find(folder, context).await?;
    let status = worker.status_now().await.map_err(refused)?;
    Ok((worker, status))
}

/// The worker that runs in the folder that is named, else in one of the usual ones.
pub(crate) async fn find(folder: &Folder, context: &Context) -> Result<ControlClient, Failure> {
    let mut running: Vec<ControlClient> = Vec::new();
    let places = folders(folder, context)?;
    for data_dir in &places {
        let worker = ControlClient::new(data_dir);
        match worker.status_now().await {
            Ok(_) => running.push(worker),
            Err(ControlError::NotRunning { .. } | ControlError::Stopped) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    let shown = |paths: &[&Path]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
    match running.as_slice() {
        [worker] => Ok(worker.clone()),
        [] => {
            let places: Vec<_> = places.iter().map(PathBuf::as_path).collect();
            Err(Failure::new(Exit::NoAccess, format!("no worker runs on this machine (looked in {})", shown(&places)))
                .advise(
                    "start one with `garageswarm up` or `garageswarm worker run`, or name its folder with --data-dir",
                ))
        }
        several => {
            let folders: Vec<_> = several.iter().map(ControlClient::data_dir).collect();
            Err(Failure::new(Exit::Usage, format!("several workers run here, in {}", shown(&folders)))
                .advise("name one with --data-dir"))
        }
    }
}

/// Where a worker of this machine may be: as `worker run` and `up` have it.
pub(crate) fn folders(folder: &Folder, context: &Context) -> Result<Vec<PathBuf>, Failure> {
    match &folder.data_dir {
        Some(named) => Ok(vec![std::path::absolute(named)?]),
        None => {
            let data_dir = context.places.data_dir(None)?;
            Ok(vec![data_dir.join("worker"), data_dir.join("local-worker")])
        }
    }
}

pub(crate) fn refused(error: ControlError) -> Failure {
    let exit = match &error {
        ControlError::Refused { .. } => Exit::Refused,
        ControlError::NotRunning { .. } | ControlError::Unreachable { .. } | ControlError::Stopped => Exit::NoAccess,
        ControlError::Silent => Exit::Fault,
    };
    Failure::new(exit, with_causes(&error))
}
