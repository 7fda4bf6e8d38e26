//! The test binaries: built first, all of them, then run one after the other.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::Workspace;

/// A test binary as cargo built it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestBinary {
    /// `swarm-model`, or `garageswarm::it` for an integration test.
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    pub(crate) manifest: PathBuf,
}

impl TestBinary {
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }
}

/// Builds every test of the workspace.
///
/// `xtask-bindgen` goes by itself: what its dependencies ask of common crates would have these built a second time.
pub(crate) fn build(workspace: &Workspace) -> Result<Vec<TestBinary>> {
    let mut binaries = Vec::new();
    for selection in [&["--workspace", "--exclude", "xtask-bindgen"][..], &["--package", "xtask-bindgen"]] {
        let mut command = workspace.cargo();
        command.args(["test", "--release", "--no-run", "--message-format", "json-render-diagnostics"]);
        binaries.extend(built(command.args(selection))?);
    }
    Ok(binaries)
}

fn built(command: &mut Command) -> Result<Vec<TestBinary>> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let messages = BufReader::new(child.stdout.take().context("cargo's messages")?);
    let mut binaries = Vec::new();
    for line in messages.lines() {
        if let Ok(message) = serde_json::from_str(&line?) {
            binaries.extend(binary(&message));
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(binaries) } else { bail!("cargo test --no-run: {status}") }
}

/// The test binary that a message of cargo announces, if it does.
fn binary(message: &Value) -> Option<TestBinary> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    let package = package_name(message["package_id"].as_str()?)?;
    let target = message["target"]["name"].as_str()?;
    let name = if message["target"]["kind"][0] == "test" {
        format!("{package}::{target}")
    } else if message["target"]["kind"][0] == "bin" && target != package {
        format!("{package} {target}")
    } else {
        package.to_owned()
    };
    Some(TestBinary { name, executable: message["executable"].as_str()?.into(), manifest })
}

/// `path+file:///w/crates/model#swarm-model@0.1.0`, or `path+file:///w/xtask#0.1.0` where folder and name are one.
fn package_name(id: &str) -> Option<&str> {
    let (source, version) = id.rsplit_once('#')?;
    match version.split_once('@') {
        Some((name, _)) => Some(name),
        None => source.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, kind: &str, target: &str) -> Value {
        serde_json::json!({
            "reason": "compiler-artifact", "package_id": id, "manifest_path": "/w/a/Cargo.toml",
            "target": { "kind": [kind], "name": target }, "profile": { "test": true }, "executable": "/t/a-1",
        })
    }

    #[test]
    fn binaries_are_named_after_package_and_target() {
        let unit = binary(&message("path+file:///w/a#swarm-a@0.1.0", "lib", "swarm_a")).unwrap();
        assert_eq!(unit.name, "swarm-a");
        let whole = binary(&message("path+file:///w/xtask#0.1.0", "test", "it")).unwrap();
        assert_eq!(whole.name, "xtask::it");
    }

    #[test]
    fn what_is_no_test_is_passed_over() {
        let mut plain = message("path+file:///w/a#swarm-a@0.1.0", "lib", "swarm_a");
        plain["profile"]["test"] = false.into();
        assert_eq!(binary(&plain), None);
        assert_eq!(binary(&serde_json::json!({ "reason": "build-finished", "success": true })), None);
    }
}
