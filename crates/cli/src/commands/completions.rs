//! `garageswarm completions`: scripts that complete the commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "For bash, in ~/.bashrc:  source <(garageswarm completions bash)")]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    shell: Shell,
}

pub(crate) fn run(args: CompletionsArgs, context: &Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "garageswarm", &mut script);
    context.output.text(&String::from_utf8_lossy(&script))
}
