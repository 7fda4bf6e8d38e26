//! `garageswarm`: the one binary. It hosts the coordinator and the worker, and is the command line of both.
//!
//! Here stands only how a process begins and ends. Each group of commands is a file under `commands/`; what a
//! failure says and which exit code it has is `failure`; what success prints is `output`.
//!
//! The guard comes first of all: it is started for every run, so it must not wait for a runtime or a parser.

mod args;
mod commands;
mod config;
mod context;
mod failure;
mod follow;
mod hosting;
mod interrupt;
mod kept;
mod output;
mod places;
mod readable;
mod sign_ins;
mod start_code;
mod vault;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::context::Context;

/// A commit of thousands of rows is tens of thousands of small texts: the system's allocator took a third of the
/// coordinator's time (`cargo xtask bench throughput`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == swarm_tools::guard::SUBCOMMAND) {
        return swarm_tools::guard::main();
    }
    let cli = Cli::parse();
    let context = match Context::new(cli.global) {
        Ok(context) => context,
        Err(failure) => return failure.report(),
    };
    match commands::run(cli.command, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
