//! `garageswarm serve`: the coordinator alone.

use clap::Args;
use serde::Serialize;
use swarm_server::ServerConfig;
use swarm_store::DatabaseUrl;

use crate::config::{Flags, load_sound};
use crate::context::Context;
use crate::failure::Failure;
use crate::hosting::{Hosted, Lan};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    flags: Flags,
    /// sqlite:PATH or postgres://USER@HOST/NAME; the embedded one in the data folder unless said otherwise.
    #[arg(long, value_name = "URL", env = "GARAGESWARM_DATABASE", hide_env_values = true)]
    database: Option<DatabaseUrl>,
}

/// What `serve` tells when it is ready. Link and token are there while nobody owns the instance.
#[derive(Serialize)]
struct Ready {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lan: Option<Lan>,
}

pub(crate) async fn run(args: ServeArgs, context: &Context) -> Result<(), Failure> {
    let config = load_sound(&args.flags, args.database, context, ServerConfig::default())?;
    let mut hosted = Hosted::start(config).await?;
    let setup_token = hosted.state.draw_setup_token().await.map_err(Failure::fault)?;
    let setup_link = setup_token.as_deref().map(|token| hosted.state.setup_link(token));
    let ready = Ready { url: hosted.address.to_string(), setup_link, setup_token, lan: hosted.lan() };
    if context.output.is_json() {
        context.output.json_line(&ready)?;
    } else {
        context.output.text(&words(&ready))?;
    }
    hosted.until_asked_to_stop().await?;
    context.output.remark("stopping; Ctrl-C again stops at once");
    hosted.stop().await
}

fn words(Ready { url, setup_link, setup_token, lan }: &Ready) -> String {
    let mut words = format!("ready {url}");
    if let Some(lan) = lan {
        words = format!("{words}\n{}", lan.words_for_people());
    }
    let (Some(link), Some(token)) = (setup_link, setup_token) else { return words };
    format!(
        "{words}\n\
         nobody owns this instance yet; whoever opens this link makes the first account, once:\n  \
         {link}\n\
         the same on a command line:\n  \
         garageswarm login --coordinator {url} --user NAME --invitation {token}"
    )
}
