//! `garageswarm config`: what the coordinator's settings are in the end.

use clap::{Args, Subcommand};
use swarm_server::ServerConfig;

use crate::config::{Flags, load};
use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective settings as TOML: defaults, file, environment, flags. Secrets are not shown.
    Print(PrintArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(command: ConfigCommand, context: &Context) -> Result<(), Failure> {
    let ConfigCommand::Print(args) = command;
    let config = load(&args.flags, context, ServerConfig::default())?;
    let toml = toml::to_string_pretty(&config).map_err(Failure::fault)?;
    context.output.object(&config, |_| toml)?;
    for problem in config.validate() {
        context.output.remark(&problem.to_string());
    }
    Ok(())
}
