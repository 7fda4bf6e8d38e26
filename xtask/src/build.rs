//! `up`, `build` and `bench`: from a fresh clone to the binary, panel inside.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    cargo::{Workspace, run},
    exec::become_program,
    panel,
    steps::Steps,
    wasm::Toolchain,
};

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

/// Builds, then becomes the benchmark, which finds the binary through `GARAGESWARM_BIN`.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    built(workspace)?;
    run(workspace.cargo().args(["build", "--release", "--package", "swarm-bench"]))?;
    let bench = workspace.binary().with_file_name(format!("garageswarm-bench{}", std::env::consts::EXE_SUFFIX));
    become_program(Command::new(bench).args(args).env("GARAGESWARM_BIN", workspace.binary()))
}

fn built(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new(panel::STEPS + 1);
    panel::build(workspace, &mut steps)?;
    steps.step("garageswarm: coordinator, worker and command line (the first time takes minutes)", || {
        run(workspace.cargo().args(["build", "--release", "--package", "garageswarm"]))
    })
}

/// Builds the panel alone, for what compiles the server in another way.
pub(crate) fn panel_only(workspace: &Workspace) -> Result<Toolchain> {
    panel::build(workspace, &mut Steps::new(panel::STEPS))
}
