//! `garageswarm worker`: a worker on this machine, and the workers of the swarm.

mod disk;
pub(crate) mod invite;
mod join;
pub(crate) mod local;
mod local_words;
mod person;
pub(crate) mod run;
mod share;
mod words;

use clap::{Args, Subcommand};
use swarm_client::Client;
use swarm_model::WorkerId;
use swarm_proto::workers::Worker;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::readable::plain;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Run a worker on this machine until Ctrl-C. Later starts need no key.
    Run(run::RunArgs),
    /// Make a link with which one machine joins. It works once, and for ten minutes.
    Invite(invite::InviteArgs),
    #[command(flatten)]
    Local(local::LocalCommand),
    #[command(flatten)]
    Steer(SteerCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SteerCommand {
    /// The workers that you may see.
    List,
    /// One worker: its tools, its load, its pauses.
    Show(OneWorker),
    /// Hand it nothing new; what runs there goes on. Without a name, this machine takes nothing new.
    Pause(MaybeWorkers),
    /// Lift a pause, or end draining. Without a name, this machine takes tasks again.
    Resume(MaybeWorkers),
    /// Let it finish what it has and hand it nothing new.
    Drain(Workers),
    /// Remove it: it is signed out at once, and what it had goes elsewhere.
    Remove(Workers),
    /// Who may use a worker of yours, and within which bounds.
    Shares(OneWorker),
    /// Let somebody use a worker of yours. Its machine must grant them a tool besides.
    Share(share::ShareArgs),
    /// End that. What they run there goes back to its queue.
    Unshare(share::UnshareArgs),
    /// What ran on a worker of yours: whose, which tool, how it ended, what it used. Never the text.
    Runs(share::RunsArgs),
    /// Give it another name.
    Rename(share::RenameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OneWorker {
    /// Its name, its id, or the end of its id.
    worker: String,
}

#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Names, ids, or ends of ids.
    #[arg(required = true)]
    workers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MaybeWorkers {
    /// Names, ids, or ends of ids; the worker of this machine where none is given.
    #[arg(conflicts_with = "data_dir")]
    workers: Vec<String>,
    #[command(flatten)]
    folder: local::Folder,
}

/// Carries out what asks the coordinator about its workers.
pub(crate) async fn steer(command: SteerCommand, context: &Context) -> Result<(), Failure> {
    match command {
        SteerCommand::List => {
            let workers = context.client()?.workers().await?;
            context.output.object(&workers, |workers| words::list(&workers.items, context.now()))
        }
        SteerCommand::Show(args) => {
            let worker = find(&context.client()?, &args.worker).await?;
            context.output.object(&worker, |worker| words::show(worker, context.now()))
        }
        SteerCommand::Pause(MaybeWorkers { workers, folder }) if workers.is_empty() => {
            local::set_paused(&folder, true, context).await
        }
        SteerCommand::Resume(MaybeWorkers { workers, folder }) if workers.is_empty() => {
            local::set_paused(&folder, false, context).await
        }
        SteerCommand::Pause(MaybeWorkers { workers, .. }) => {
            change(context, Workers { workers }, "is paused", async |client, id| Ok(client.pause_worker(id).await?))
                .await
        }
        SteerCommand::Resume(MaybeWorkers { workers, .. }) => {
            change(context, Workers { workers }, "takes tasks again", async |client, id| {
                Ok(client.resume_worker(id).await?)
            })
            .await
        }
        SteerCommand::Drain(args) => {
            change(context, args, "finishes what it has", async |client, id| Ok(client.drain_worker(id).await?)).await
        }
        SteerCommand::Shares(args) => share::shares(&args.worker, context).await,
        SteerCommand::Share(args) => share::share(args, context).await,
        SteerCommand::Unshare(args) => share::unshare(args, context).await,
        SteerCommand::Runs(args) => share::runs(args, context).await,
        SteerCommand::Rename(args) => share::rename(args, context).await,
        SteerCommand::Remove(args) => {
            let client = context.client()?;
            for named in args.workers {
                let worker = find(&client, &named).await?;
                client.remove_worker(worker.worker_id).await?;
                context.output.remark(&format!("{} is removed", plain(&worker.machine_name)));
            }
            Ok(())
        }
    }
}

/// Does something to each worker and tells how it stands then.
async fn change(
    context: &Context,
    args: Workers,
    done: &str,
    how: impl AsyncFn(&Client, WorkerId) -> Result<Worker, Failure>,
) -> Result<(), Failure> {
    let client = context.client()?;
    for named in args.workers {
        let found = find(&client, &named).await?;
        let worker = how(&client, found.worker_id).await?;
        context.output.object(&worker, |worker| {
            let owner = if worker.pauses.by_owner { "; its owner has paused it on the machine" } else { "" };
            format!("{} {done}{owner}", plain(&worker.machine_name))
        })?;
    }
    Ok(())
}

/// The worker that is meant by a name, an id, or the end of an id.
pub(crate) async fn find(client: &Client, named: &str) -> Result<Worker, Failure> {
    if let Ok(worker_id) = named.parse::<WorkerId>() {
        return Ok(client.worker(worker_id).await?);
    }
    pick(client.workers().await?.items, named)
}

fn pick(workers: Vec<Worker>, named: &str) -> Result<Worker, Failure> {
    let is_named = |worker: &&Worker| worker.machine_name.eq_ignore_ascii_case(named);
    let is_end =
        |worker: &&Worker| named.len() >= 4 && worker.worker_id.to_string().ends_with(&named.to_ascii_lowercase());
    let by_name: Vec<_> = workers.iter().filter(is_named).collect();
    let found = if by_name.is_empty() { workers.iter().filter(is_end).collect() } else { by_name };
    match found.as_slice() {
        [worker] => Ok((*worker).clone()),
        [] => Err(Failure::new(Exit::Refused, format!("there is no worker \"{}\"", plain(named)))
            .advise("`garageswarm worker list` shows them")),
        _ => Err(Failure::new(Exit::Refused, format!("several workers are called \"{}\"", plain(named)))
            .advise("give the end of the id of one: `garageswarm worker list` shows them")),
    }
}

#[cfg(test)]
mod tests;
