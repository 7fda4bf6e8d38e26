//! The static tier: formatting, lints, documentation, layering. Each check counts as one.

use std::process::Command;

use anyhow::Result;

use super::tally::Tally;
use crate::{
    cargo::{Workspace, cargo, run},
    tidy,
    wasm::{TARGET, Toolchain},
};

pub(crate) fn check(workspace: &Workspace, toolchain: Toolchain) -> Tally {
    let checks: [(&str, &dyn Fn() -> Result<()>); 6] = [
        ("fmt", &|| run(cargo().args(["fmt", "--all", "--check"]))),
        ("fmt of the fuzz targets", &|| {
            run(cargo().args(["fmt", "--check", "--manifest-path", "xtask/fuzz/Cargo.toml"]))
        }),
        ("clippy", &|| run(&mut clippy(workspace))),
        ("clippy of the panel's wasm", &|| run(&mut panel(toolchain)?)),
        ("doc", &|| run(&mut doc(workspace))),
        ("tidy", &|| tidy::check(workspace)),
    ];
    let mut tally = Tally::default();
    for (name, check) in checks {
        println!("-- {name}");
        match check() {
            Ok(()) => tally.pass(),
            Err(error) => tally.fail(format!("{name}: {error:#}")),
        }
    }
    tally
}

/// In the profile of the tests, so that build scripts and macros are built once.
fn clippy(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    command.args(["clippy", "--release", "--workspace", "--exclude", "xtask-bindgen", "--all-targets"]);
    command.args(["--", "-D", "warnings"]);
    command
}

/// Most of `ui/` exists for wasm only. Debian's compiler has no clippy: there it is only checked.
fn panel(toolchain: Toolchain) -> Result<Command> {
    let mut command = toolchain.cargo()?;
    let lint = toolchain == Toolchain::Same;
    command.arg(if lint { "clippy" } else { "check" });
    command.args(["--package", "swarm-ui", "--target", TARGET, "--profile", "wasm"]);
    if lint {
        command.args(["--", "-D", "warnings"]);
    }
    Ok(command)
}

fn doc(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    command.args(["doc", "--release", "--workspace", "--exclude", "xtask-bindgen", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
