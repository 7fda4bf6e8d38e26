//! `up`, `build` and `bench`: from a fresh clone to the binary, panel inside.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    cargo::{Workspace, run},
    exec::become_program,
    panel,
    parts::postgres::{self, Durability, Server},
    steps::Steps,
    wasm::Toolchain,
};

/// Where the benchmark finds a PostgreSQL server.
const POSTGRES: &str = "GARAGESWARM_TEST_POSTGRES";

/// Builds, then becomes `garageswarm up`.
pub(crate) fn up(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    built(workspace)?;
    println!("starting garageswarm up {}", args.join(" "));
    become_program(Command::new(workspace.binary()).arg("up").args(args))
}

/// Leaves the release binary in the target folder.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    built(workspace)?;
    println!("{}", workspace.binary().display());
    Ok(())
}

/// Builds, then runs the benchmark, which finds the binary through `GARAGESWARM_BIN`, and a PostgreSQL server of its
/// own where one is installed.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    built(workspace)?;
    build_bin(workspace, "garageswarm-bench")?;
    let bench = workspace.binary().with_file_name(format!("garageswarm-bench{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(bench);
    command.args(args).env("GARAGESWARM_BIN", workspace.binary());
    let server = if std::env::var_os(POSTGRES).is_some() {
        None
    } else {
        postgres::programs().map(|programs| Server::start(&programs, Durability::On)).transpose()?
    };
    match &server {
        Some(server) => _ = command.env(POSTGRES, server.url()),
        None => println!("PostgreSQL is not here and is not measured (apt-get install postgresql)"),
    }
    run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

fn built(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new(panel::STEPS + 1);
    panel::build(workspace, &mut steps)?;
    steps.step("garageswarm: coordinator, worker and command line (the first time takes minutes)", || {
        build_bin(workspace, "garageswarm")
    })
}

/// Builds one program, with what the whole workspace asks of common crates: alone it would ask for less, and the tests
/// would build all of these once more. `xtask-bindgen` stands apart, there as here.
pub(crate) fn build_bin(workspace: &Workspace, name: &str) -> Result<()> {
    let selection = ["--workspace", "--exclude", "xtask-bindgen", "--bin", name];
    run(workspace.cargo().args(["build", "--release"]).args(selection))
}

/// Builds the panel alone, for what compiles the server in another way.
pub(crate) fn panel_only(workspace: &Workspace) -> Result<Toolchain> {
    panel::build(workspace, &mut Steps::new(panel::STEPS))
}
