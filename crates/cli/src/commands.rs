//! One file for each group of commands: its words, what it asks of the coordinator, what it prints.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod budget;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod key;
pub(crate) mod mcp;
pub(crate) mod role;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod status;
pub(crate) mod swarm;
pub(crate) mod task;
pub(crate) mod tool;
pub(crate) mod up;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod worker;

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::args::Command;
use crate::context::Context;
use crate::failure::Failure;

/// Carries out one command.
pub(crate) fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Up(args) => host(up::run(args, context)),
        Command::Serve(args) => host(serve::run(args, context)),
        Command::Worker(worker::WorkerCommand::Run(args)) => host(worker::run::run(args, context)),
        Command::Config(command) => config::run(command, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Guard => guard(),
        Command::Worker(worker::WorkerCommand::Local(command)) => {
            asking()?.block_on(worker::local::run(command, context))
        }
        Command::Worker(worker::WorkerCommand::Invite(args)) => {
            asking()?.block_on(worker::invite::invite(args, context))
        }
        Command::Worker(worker::WorkerCommand::Steer(command)) => asking()?.block_on(worker::steer(command, context)),
        Command::Task(command) => asking()?.block_on(task::run(command, context)),
        Command::Key(command) => asking()?.block_on(key::run(command, context)),
        Command::User(command) => asking()?.block_on(user::run(command, context)),
        Command::Session(command) => asking()?.block_on(session::run(command, context)),
        Command::Password => asking()?.block_on(session::password(context)),
        Command::Audit(args) => asking()?.block_on(audit::run(args, context)),
        Command::Login(args) => asking()?.block_on(account::login(args, context)),
        Command::Logout => asking()?.block_on(account::logout(context)),
        Command::Whoami => asking()?.block_on(account::whoami(context)),
        Command::Tool(command) => asking()?.block_on(tool::run(command, context)),
        Command::Mcp => asking()?.block_on(mcp::run(context)),
        Command::Usage(args) => asking()?.block_on(usage::run(args, context)),
        Command::Budget(command) => asking()?.block_on(budget::run(command, context)),
        Command::Role(command) => asking()?.block_on(role::run(command, context)),
        Command::Status => asking()?.block_on(status::run(context)),
        Command::Swarm(command) => asking()?.block_on(swarm::run(command, context)),
        Command::Discover(args) => asking()?.block_on(discover::run(args, context)),
        Command::Doctor(args) => asking()?.block_on(doctor::run(args, context)),
        Command::Backup(args) => asking()?.block_on(backup::backup(args, context)),
        Command::Restore(args) => asking()?.block_on(backup::restore(args, context)),
    }
}

/// A runtime for a command that asks a coordinator and prints the answer.
fn asking() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Lives as long as the work does, on few threads, for it must be small when idle. What still blocks a thread
/// at the end is given a moment, so that a second Ctrl-C ends the process.
fn host(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(2));
    done
}

/// `main` starts the guard before the words are read; it comes here only with an option before its name.
fn guard() -> Result<(), Failure> {
    if swarm_tools::guard::main() == ExitCode::SUCCESS {
        Ok(())
    } else {
        Err(Failure::silent(crate::failure::Exit::Fault))
    }
}
