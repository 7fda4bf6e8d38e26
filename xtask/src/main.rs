//! `cargo xtask`: the project's only automation.
//!
//! It owns the order of things: what is set up, built, checked and tested, with which variables. How each is done
//! belongs to cargo, rustup, apt-get and npm, which it calls and whose output it shows. It decides nothing by
//! guessing what is up to date: cargo knows. Invariant: every build of the server sees the same panel folder, so that
//! `up`, `build`, `test` and `bench` compile nothing twice.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people at a terminal")]

mod args;
mod build;
mod cargo;
mod exec;
mod panel;
mod parts;
mod proof;
mod steps;
mod tidy;
mod tiers;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;

use crate::{args::Task, cargo::Workspace};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args::parse(&args).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    if matches!(task, Task::Help) {
        print!("{}", args::HELP);
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::read()?;
    match task {
        Task::Help => {}
        Task::Up(args) => return build::up(&workspace, &args),
        Task::Build => build::build(&workspace)?,
        Task::Bench(args) => return build::bench(&workspace, &args),
        Task::Tidy => tidy::check(&workspace)?,
        Task::Fuzz { seconds } => {
            return Ok(proof::ended(&proof::fuzz::check(&workspace, seconds, tiers::may_install())));
        }
        Task::Schemathesis => return Ok(proof::ended(&proof::schemathesis::build_and_check(&workspace)?)),
        Task::Faults { name } => return Ok(proof::ended(&proof::faults::check(&workspace, name.as_deref()))),
        Task::Test { tiers, long } => return tiers::test(&workspace, &tiers, long),
        Task::Ci { long } => {
            let tests = tiers::test(&workspace, &tiers::Tier::ALL, long)?;
            if tests != ExitCode::SUCCESS {
                return Ok(tests);
            }
            build::build(&workspace)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
