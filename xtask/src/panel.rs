//! The panel: `ui/` to WebAssembly, and from there to the files that the server serves.
//!
//! The second half needs wasm-bindgen's library, which is heavy: it is a program of its own, `bindgen/`, so that
//! `cargo xtask` itself stays quick to build. Nothing here guesses whether the panel is up to date: cargo knows
//! whether the wasm is, and the program leaves files alone that did not change.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{
    cargo::{Background, Workspace, cargo, run},
    steps::Steps,
    wasm::{TARGET, Toolchain},
};

/// The program in `bindgen/`.
const WRAPPER: &str = "xtask-bindgen";

/// How many steps [`build`] tells.
pub(crate) const STEPS: usize = 3;

/// Brings the panel's folder up to date.
pub(crate) fn build(workspace: &Workspace, steps: &mut Steps) -> Result<Toolchain> {
    check_versions(&std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock")?)?;
    let toolchain = steps.step("a compiler for WebAssembly", Toolchain::prepare)?;
    steps.step("panel: to WebAssembly (the first time takes minutes)", || {
        // Two profiles, two locks: both cargos work at the same time and fill each other's idle core.
        let wrapper = Background::start(cargo().args(["build", "--release", "--package", WRAPPER]))?;
        let mut cargo = toolchain.cargo()?;
        cargo.args(["build", "--package", "swarm-ui", "--bin", "panel", "--profile", "wasm", "--target", TARGET]);
        let wasm = run(&mut cargo);
        // Waited for in any case: it would go on without us.
        wrapper.finish().and(wasm)
    })?;
    steps.step("panel: to a page", || {
        let wasm = workspace.target.join(TARGET).join("wasm/panel.wasm");
        let program = workspace.binary().with_file_name(format!("{WRAPPER}{}", std::env::consts::EXE_SUFFIX));
        run(Command::new(program).arg(wasm).arg(workspace.root.join("ui")).arg(workspace.panel()))
    })?;
    Ok(toolchain)
}

/// The code inside the wasm and the program that wraps it must be of one version, to the last digit.
fn check_versions(lock: &str) -> Result<()> {
    let inside = locked(lock, "wasm-bindgen");
    let wrapper = locked(lock, "wasm-bindgen-cli-support");
    match (inside, wrapper) {
        (Some(inside), Some(wrapper)) if inside == wrapper => Ok(()),
        (Some(inside), Some(wrapper)) => bail!(
            "Cargo.lock has wasm-bindgen {inside} and wasm-bindgen-cli-support {wrapper}: set the second to \
             \"={inside}\" in Cargo.toml's [workspace.dependencies]"
        ),
        _ => bail!("Cargo.lock lacks wasm-bindgen or wasm-bindgen-cli-support"),
    }
}

/// The version of a package in Cargo.lock.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| line.strip_prefix("name = ").is_some_and(|value| value.trim_matches('"') == name))?;
    lines.next()?.strip_prefix("version = ").map(|version| version.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(inside: &str, wrapper: &str) -> String {
        format!(
            "[[package]]\nname = \"wasm-bindgen\"\nversion = \"{inside}\"\n\n\
             [[package]]\nname = \"wasm-bindgen-cli-support\"\nversion = \"{wrapper}\"\n"
        )
    }

    #[test]
    fn one_version_passes_and_two_are_named() {
        check_versions(&lock("0.2.130", "0.2.130")).unwrap();
        let drift = check_versions(&lock("0.2.131", "0.2.130")).unwrap_err().to_string();
        assert!(drift.contains("0.2.131") && drift.contains("0.2.130"), "{drift}");
        assert!(check_versions("").is_err());
    }
}
