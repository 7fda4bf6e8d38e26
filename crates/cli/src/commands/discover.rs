//! `garageswarm discover`: the coordinators that announce themselves on the local network.

use std::time::Duration;

use clap::Args;
use swarm_client::Announced;

use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::output::table::{Table, styled};
use crate::readable::{BOLD, DIM, NORMAL, plain};

#[derive(Debug, Args)]
#[command(
    after_help = "Anybody in the network can announce anything: compare the words with what the coordinator's machine shows."
)]
pub(crate) struct DiscoverArgs {
    /// Seconds to listen.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

pub(crate) async fn run(args: DiscoverArgs, context: &Context) -> Result<(), Failure> {
    let heard = swarm_client::discover(Duration::from_secs(args.seconds))
        .await
        .map_err(|error| Failure::new(Exit::Fault, with_causes(&error)))?;
    let told: Vec<_> = heard.iter().map(|announced| Told { announced, words: announced.fingerprint.words() }).collect();
    context.output.object(&told, |told| list(told))
}

#[derive(Debug, serde::Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    announced: &'a Announced,
    words: String,
}

fn list(told: &[Told<'_>]) -> String {
    let mut table = Table::new(&["NAME", "WORDS", "ADDRESSES", "VERSION"]);
    for Told { announced, words } in told {
        let addresses: Vec<_> = announced.addresses.iter().map(ToString::to_string).collect();
        table.row([
            styled(plain(&announced.name), NORMAL),
            styled(words, BOLD),
            styled(addresses.join("\n"), NORMAL),
            styled(plain(&announced.version), DIM),
        ]);
    }
    table.or("nobody announces a coordinator here: start one with `garageswarm up --lan`")
}
