//! `garageswarm up`: coordinator, panel and a local worker in one process, signed in.

mod local_worker;

use std::path::Path;

use clap::Args;
use serde::Serialize;
use swarm_client::{Address, Coordinator};
use swarm_model::UserId;
use swarm_server::config::Log;
use swarm_server::{AppState, ServerConfig, setup};
use tokio_util::sync::CancellationToken;

use crate::config::{Flags, load_sound};
use crate::context::Context;
use crate::failure::Failure;
use crate::hosting::{Hosted, Lan, open_browser, user_name};
use crate::output::table::Facts;
use crate::readable::{BOLD, DIM, GOOD, plain};

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    flags: Flags,
    /// Start no worker on this machine.
    #[arg(long)]
    no_worker: bool,
    /// Open the panel in the browser, signed in.
    #[arg(long)]
    open: bool,
}

/// What `up` tells when it is ready.
#[derive(Debug, Serialize)]
struct Ready {
    url: String,
    sign_in_link: String,
    data_dir: std::path::PathBuf,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lan: Option<Lan>,
}

pub(crate) async fn run(args: UpArgs, context: &Context) -> Result<(), Failure> {
    // The person sees what matters on standard output; the log tells what went wrong.
    let base = ServerConfig { log: Log { filter: "warn".to_owned(), ..Log::default() }, ..ServerConfig::default() };
    let config = load_sound(&args.flags, None, context, base)?;
    let data_dir = config.storage.data_dir.clone();
    let mut hosted = Hosted::start(config).await?;
    let state = &hosted.state;
    let owner =
        setup::bootstrap_first_user(&state.stores, &*state.clock, &user_name()).await.map_err(Failure::fault)?;
    let username = sign_in(state, owner.user_id, &hosted.address, &data_dir, context).await?;
    let sign_in_link = state.create_sign_in_link(owner.user_id).await.map_err(Failure::fault)?;

    let (url, lan) = (hosted.address.to_string(), hosted.lan());
    let ready = Ready { url, sign_in_link, data_dir: data_dir.clone(), username, lan };
    if context.output.is_json() {
        context.output.json_line(&ready)?;
    } else {
        context.output.text(&words(&ready))?;
    }
    if args.open
        && let Err(error) = open_browser(&ready.sign_in_link)
    {
        context.output.remark(&format!("no browser could be opened: {error}"));
    }

    let stop_worker = CancellationToken::new();
    let worker = (!args.no_worker).then(|| {
        let worker = local_worker::LocalWorker {
            state: state.clone(),
            owner: owner.user_id,
            address: hosted.address.clone(),
            data_dir: data_dir.join("local-worker"),
            vault: context.vault,
            output: context.output,
        };
        tokio::spawn(worker.run(stop_worker.clone()))
    });

    hosted.until_asked_to_stop().await?;
    context.output.remark("finishing what runs here; Ctrl-C again stops at once");
    stop_worker.cancel();
    if let Some(worker) = worker {
        hosted.signals.unless_next(async { worker.await.map_err(Failure::fault) }).await?;
    }
    hosted.stop().await
}

/// Signs the command line of this account in, unless it is. Returns its name there.
async fn sign_in(
    state: &AppState,
    owner: UserId,
    address: &Address,
    data_dir: &Path,
    context: &Context,
) -> Result<String, Failure> {
    let coordinator = Coordinator::at(address.clone())?;
    let mut sign_ins = context.sign_ins()?;
    let kept = sign_ins.of_data_dir(data_dir).and_then(|sign_in| sign_ins.token(sign_in).ok().flatten());
    if let Some(token) = kept {
        match coordinator.signed_in(token).me().await {
            Ok(me) => {
                sign_ins.moved(data_dir, address)?;
                return Ok(me.username);
            }
            Err(error) if error.is_unauthenticated() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let token = state.issue_cli_token(owner).await.map_err(Failure::fault)?;
    let me = coordinator.signed_in(token.as_str()).me().await?;
    sign_ins.keep(&coordinator, Some(data_dir), &me.username, &token)?;
    Ok(me.username)
}

fn words(ready: &Ready) -> String {
    let mut facts = Facts::default();
    facts
        .fact("panel", format!("{}\n{DIM}signs you in once, within 10 minutes{DIM:#}", ready.sign_in_link))
        .fact("data", ready.data_dir.display().to_string())
        .fact("you", format!("{}, signed in on this command line", plain(&ready.username)))
        .fact("try", format!("{BOLD}garageswarm task submit \"say hello\" --follow{BOLD:#}  in another terminal"))
        .maybe("others", ready.lan.as_ref().map(Lan::words_for_people))
        .fact("stop", "Ctrl-C finishes what runs; twice stops at once");
    format!("{GOOD}ready{GOOD:#} {}\n\n{}\n", ready.url, facts.text())
}
