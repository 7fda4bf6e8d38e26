//! Finding a program and its version without starting it more often than it changes.

use std::collections::HashMap;
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
