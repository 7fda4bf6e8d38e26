//! Finding a program and its version without starting it more often than it changes.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::environment;

/// How long `--version` may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a program is: at the path that the owner set, else on PATH.
pub(crate) fn find_program(name: &str, configured: Option<&Path>) -> Option<PathBuf> {
    match configured {
        Some(path) => which::which(path).ok(),
        None => which::which(name).ok(),
    }
}

/// Whether the file is a script that Windows would run through its shell, where arguments can become commands.
pub(crate) fn is_shell_script(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("cmd") || suffix.eq_ignore_ascii_case("bat"))
}

/// A program that is a script for Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeProgram {
    /// The script, or what starts it.
    pub(crate) path: PathBuf,
    /// Node, where the script does not find it by itself.
    pub(crate) node: Option<PathBuf>,
    /// The version that its package tells.
    pub(crate) version: Option<String>,
}

/// Why a script for Node cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotStartable {
    /// It is a script of Windows' shell, and what it would start is not beside it.
    ShellScript,
    /// There is no Node.
    NoNode,
}

/// How the program of an npm package is started. On Windows npm puts a script of the shell on PATH; the package
/// stands beside it, and Node can be told to run it.
pub(crate) fn node_program(found: &Path, package: &str, script: &str) -> Result<NodeProgram, NotStartable> {
    let path = if is_shell_script(found) {
        let beside = found.parent().map(|folder| folder.join("node_modules").join(package).join(script));
        beside.filter(|script| script.is_file()).ok_or(NotStartable::ShellScript)?
    } else {
        found.to_owned()
    };
    // npm's link on PATH leads into the package.
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let version = package_version(&real, package);
    let is_script = real.extension().is_some_and(|suffix| suffix == "js" || suffix == "mjs");
    let node = if !is_script || cfg!(unix) && finds_its_interpreter(&real) {
        None
    } else {
        Some(which::which("node").map_err(|_| NotStartable::NoNode)?)
    };
    Ok(NodeProgram { path, node, version })
}

/// Whether the script's first line names an interpreter that is there.
fn finds_its_interpreter(script: &Path) -> bool {
    match &interpreters(script)[..] {
        [.., name] if name.contains('/') => Path::new(name).is_file(),
        [.., name] => which::which(name).is_ok(),
        [] => false,
    }
}

/// The interpreters of a script: what its first line names, and what that looks for on PATH. Empty for a program.
pub(crate) fn interpreters(script: &Path) -> Vec<String> {
    let mut first = [0; 256];
    let n = std::fs::File::open(script).and_then(|mut file| file.read(&mut first)).unwrap_or(0);
    let text = String::from_utf8_lossy(&first[..n]);
    let Some(line) = text.strip_prefix("#!").and_then(|text| text.lines().next()) else { return Vec::new() };
    let mut words = line.split_whitespace();
    let Some(program) = words.next() else { return Vec::new() };
    let looked_for = program.ends_with("/env").then(|| words.find(|word| !word.starts_with('-'))).flatten();
    [program].into_iter().chain(looked_for).map(str::to_owned).collect()
}

/// The version in the `package.json` of the package that a file belongs to.
fn package_version(file: &Path, package: &str) -> Option<String> {
    let read = |folder: &Path| {
        let text = std::fs::read(folder.join("package.json")).ok()?;
        let told: serde_json::Value = serde_json::from_slice(&text).ok()?;
        (told["name"] == package).then(|| told["version"].as_str().map(str::to_owned)).flatten()
    };
    file.ancestors().skip(1).take(3).find_map(read)
}

/// Versions by path and time of change.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    known: Mutex<HashMap<PathBuf, Answer>>,
}

/// What a program said of its version when it had been changed at that time.
#[derive(Debug, Clone)]
struct Answer {
    changed: Option<SystemTime>,
    version: Option<String>,
}

impl Versions {
    /// The version that is known without starting anything.
    pub(crate) fn cached(&self, program: &Path) -> Option<String> {
        self.lookup(program, changed_at(program))?.version
    }

    /// The version, asked for at most once for each change of the file.
    pub(crate) async fn of(&self, program: &Path) -> Option<String> {
        let changed = changed_at(program);
        if let Some(known) = self.lookup(program, changed) {
            return known.version;
        }
        let version = ask(program).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(program.to_owned(), Answer { changed, version: version.clone() });
        version
    }

    fn lookup(&self, program: &Path, changed: Option<SystemTime>) -> Option<Answer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(program).filter(|answer| answer.changed == changed).cloned()
    }
}

fn changed_at(program: &Path) -> Option<SystemTime> {
    std::fs::metadata(program).ok()?.modified().ok()
}

async fn ask(program: &Path) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command
        .arg("--version")
        .env_clear()
        .envs(environment::passed(std::env::vars_os()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PROBE_TIMEOUT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    version_in(&text)
}

/// The first word that looks like a version.
fn version_in(text: &str) -> Option<String> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(|word| word.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_among_words() {
        assert_eq!(version_in("2.1.197 (Claude Code)\n").as_deref(), Some("2.1.197"));
        assert_eq!(version_in("codex-cli v0.169.0").as_deref(), Some("0.169.0"));
        assert_eq!(version_in("no version here 12"), None);
    }

    #[test]
    fn the_script_behind_npms_shim_is_started_with_node() {
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("tool.cmd");
        assert_eq!(node_program(&shim, "@a/tool", "bundle/tool.js"), Err(NotStartable::ShellScript));
        let package = folder.path().join("node_modules/@a/tool");
        let script = package.join("bundle/tool.js");
        std::fs::create_dir_all(package.join("bundle")).unwrap();
        std::fs::write(&script, "console.log(1)").unwrap();
        std::fs::write(package.join("package.json"), "{\"name\":\"@a/tool\",\"version\":\"1.2.3\"}").unwrap();
        match node_program(&shim, "@a/tool", "bundle/tool.js") {
            Ok(found) => {
                assert_eq!(found.version.as_deref(), Some("1.2.3"));
                assert!(found.node.is_some() && found.path.ends_with("bundle/tool.js"), "{found:?}");
            }
            // A machine without Node says so.
            Err(why) => assert_eq!((why, which::which("node").is_ok()), (NotStartable::NoNode, false)),
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_script_that_finds_its_interpreter_is_started_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("tool.js");
        let node_for = |first: &str| {
            std::fs::write(&script, first).unwrap();
            node_program(&script, "@a/tool", "").map(|found| found.node)
        };
        assert_eq!(node_for("#!/usr/bin/env -S sh\n"), Ok(None));
        assert_eq!(node_for("#!/bin/sh\n"), Ok(None));
        let node = which::which("node").map(Some).map_err(|_| NotStartable::NoNode);
        assert_eq!(node_for("#!/usr/bin/env no-such-program\n"), node);
        assert_eq!(node_for("no first line"), node);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_program_is_started_once_for_each_change() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (program, count) = (folder.path().join("tool"), folder.path().join("count"));
        std::fs::write(&program, format!("#!/bin/sh\necho x >> {}\necho tool 1.2.3\n", count.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let versions = Versions::default();
        assert_eq!(versions.cached(&program), None);
        for _ in 0..3 {
            assert_eq!(versions.of(&program).await.as_deref(), Some("1.2.3"));
        }
        assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 1);
        let later = std::fs::metadata(&program).unwrap().modified().unwrap() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&program).unwrap().set_modified(later).unwrap();
        assert_eq!(versions.cached(&program), None);
        assert_eq!(versions.of(&program).await.as_deref(), Some("1.2.3"));
        assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 2);
    }
}
