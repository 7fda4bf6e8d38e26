//! `garageswarm swarm`: the hand-out of tasks as a whole.

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum SwarmCommand {
    /// Hand nothing out any more, to any worker. What runs goes on.
    Pause,
    /// Hand out again.
    Resume,
}

pub(crate) async fn run(command: SwarmCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        SwarmCommand::Pause => client.pause_swarm().await?,
        SwarmCommand::Resume => client.resume_swarm().await?,
    }
    context.output.object(&client.status().await?, |status| {
        if status.paused {
            "the swarm is paused: nothing is handed out until `garageswarm swarm resume`".to_owned()
        } else {
            "the swarm hands out tasks".to_owned()
        }
    })
}
