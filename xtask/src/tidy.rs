//! The layering checks: absences that the compiler does not enforce.
//!
//! Three sources: what each package asks for (cargo's metadata), what really gets compiled for it (`cargo tree`), and
//! the text of the manifests and sources. Every violation is told, not only the first.

mod layers;
mod texts;

use anyhow::{Context, Result, bail};

use crate::{
    cargo::{Workspace, cargo, output},
    wasm,
};

/// Checks everything.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut found = layers::declared(&workspace.packages);
    for pure in &layers::PURE {
        for target in pure.targets {
            found.extend(layers::compiled(pure, target, &tree(pure.package, target)?));
        }
    }
    let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock")?;
    found.extend(layers::locked(&lock));
    found.extend(texts::check(workspace)?);
    if found.is_empty() {
        println!("tidy: {} packages keep their layers", workspace.packages.len());
        return Ok(());
    }
    for violation in &found {
        println!("tidy: {violation}");
    }
    bail!("tidy found {} violation(s)", found.len())
}

/// The names of everything that is compiled into a package.
fn tree(package: &str, target: &layers::Target) -> Result<Vec<String>> {
    let mut command = cargo();
    command.args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    if *target == layers::Target::Wasm {
        command.args(["--target", wasm::TARGET]);
    }
    let lines = output(&mut command)?;
    Ok(lines.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect())
}
