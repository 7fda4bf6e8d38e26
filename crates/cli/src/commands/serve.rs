//! `garageswarm serve`: the coordinator alone.

use clap::Args;
use swarm_server::ServerConfig;
use swarm_store::DatabaseUrl;

use crate::config::{Flags, load_sound};
use crate::context::Context;
use crate::failure::Failure;
use crate::hosting::Hosted;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    flags: Flags,
    /// sqlite:PATH or postgres://USER@HOST/NAME; the embedded one in the data folder unless said otherwise.
    #[arg(long, value_name = "URL", env = "GARAGESWARM_DATABASE", hide_env_values = true)]
    database: Option<DatabaseUrl>,
}

pub(crate) async fn run(args: ServeArgs, context: &Context) -> Result<(), Failure> {
    let config = load_sound(&args.flags, args.database, context, ServerConfig::default())?;
    let mut hosted = Hosted::start(config).await?;
    let address = &hosted.address;
    context.output.text(&format!("ready {address}"))?;
    if let Some(lan) = hosted.lan() {
        context.output.text(&lan.words_for_people())?;
    }
    if let Some(token) = hosted.state.draw_setup_token().await.map_err(Failure::fault)? {
        context.output.text(&format!(
            "nobody owns this instance yet; whoever has this token makes the first account, once:\n  \
             garageswarm login --coordinator {address} --user NAME --invitation {token}"
        ))?;
    }
    hosted.until_asked_to_stop().await?;
    context.output.remark("stopping; Ctrl-C again stops at once");
    hosted.stop().await
}
