//! Parts of the real tier that do not come with this repository: a database, a browser, AI tools.
//!
//! A part that is there is told to the tests in an environment variable. One that is not is left out, with a word on
//! how to get it; where everything must run, it is installed: from Debian's packages, or from npm into a folder
//! outside the checkout. A variable that is already set stands.

pub(crate) mod apt;
mod npm;
mod ollama;
pub(crate) mod postgres;
pub(crate) mod python;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{cargo::Workspace, tiers::Tally};

/// What the tests are told.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Held, not read: the server stops when it is dropped.
    postgres: Option<postgres::Server>,
}

/// A program that stands somewhere on this machine, or could.
struct Program {
    name: &'static str,
    variable: &'static str,
    found: fn(&Path) -> Option<PathBuf>,
    source: Source,
}

enum Source {
    Debian(&'static [&'static str]),
    Npm(npm::Package),
    /// Built with Go, which takes minutes: in long runs only. Without it recorded answers are played.
    Ollama,
}

const PROGRAMS: [Program; 9] = [
    Program {
        name: "Python 3",
        variable: "GARAGESWARM_TEST_PYTHON",
        found: |_| on_path("python3"),
        source: Source::Debian(&["python3"]),
    },
    Program {
        name: "Chromium",
        variable: "GARAGESWARM_TEST_CHROMIUM",
        found: |_| ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path),
        source: Source::Debian(&["chromium"]),
    },
    Program {
        name: "Chromium's driver",
        variable: "GARAGESWARM_TEST_CHROMEDRIVER",
        found: |_| on_path("chromedriver"),
        source: Source::Debian(&["chromium-driver"]),
    },
    Program {
        name: "D-Bus",
        variable: "GARAGESWARM_TEST_DBUS",
        found: |_| on_path("dbus-daemon"),
        source: Source::Debian(&["dbus-daemon"]),
    },
    Program {
        name: "a service on it that never answers",
        variable: "GARAGESWARM_TEST_DBUS_TOOL",
        found: |_| on_path("dbus-test-tool"),
        source: Source::Debian(&["dbus-tests"]),
    },
    Program {
        name: "Claude Code",
        variable: "GARAGESWARM_TEST_CLAUDE",
        found: |cache| npm::CLAUDE.found(cache).or_else(|| on_path("claude")),
        source: Source::Npm(npm::CLAUDE),
    },
    Program {
        name: "Codex",
        variable: "GARAGESWARM_TEST_CODEX",
        found: |cache| npm::CODEX.found(cache).or_else(|| on_path("codex")),
        source: Source::Npm(npm::CODEX),
    },
    Program {
        name: "Gemini CLI",
        variable: "GARAGESWARM_TEST_GEMINI",
        found: |cache| npm::GEMINI.found(cache).or_else(|| on_path("gemini")),
        source: Source::Npm(npm::GEMINI),
    },
    Program {
        name: "Ollama",
        variable: "GARAGESWARM_TEST_OLLAMA",
        found: |cache| ollama::found(cache).or_else(|| on_path("ollama")),
        source: Source::Ollama,
    },
];

impl Parts {
    /// Gathers what is there; with `install` also what is not. A part that fails costs its own tests, not the others.
    pub(crate) fn gather(workspace: &Workspace, install: bool, long: bool, tally: &mut Tally) -> Self {
        let mut parts = Self::default();
        match cache(workspace) {
            Ok(cache) => {
                for program in &PROGRAMS {
                    if let Err(error) = parts.add(program, &cache, install, long) {
                        tally.fail(format!("{}: {error:#}", program.name));
                    }
                }
            }
            Err(error) => tally.fail(format!("{error:#}")),
        }
        if let Err(error) = parts.add_postgres(install) {
            tally.fail(format!("PostgreSQL: {error:#}"));
        }
        parts
    }

    fn add(&mut self, program: &Program, cache: &Path, install: bool, long: bool) -> Result<()> {
        if env::var_os(program.variable).is_some() {
            return Ok(());
        }
        if (program.found)(cache).is_none() {
            match &program.source {
                Source::Debian(packages) if install => apt::install(packages)?,
                Source::Npm(package) if install => package.install(cache)?,
                Source::Ollama if long && ollama::can_build() => ollama::build(cache)?,
                Source::Debian(_) | Source::Npm(_) | Source::Ollama => {}
            }
        }
        match (program.found)(cache) {
            Some(path) => {
                println!("  {}: {}", program.name, path.display());
                self.variables.push((program.variable, path.display().to_string()));
            }
            None => println!("  {}: not here ({})", program.name, program.source.advice()),
        }
        Ok(())
    }

    fn add_postgres(&mut self, install: bool) -> Result<()> {
        const VARIABLE: &str = "GARAGESWARM_TEST_POSTGRES";
        if env::var_os(VARIABLE).is_some() {
            return Ok(());
        }
        if install && postgres::programs().is_none() {
            apt::install(&["postgresql"])?;
        }
        match postgres::programs() {
            Some(programs) => {
                let server = postgres::Server::start(&programs, postgres::Durability::Off)?;
                println!("  PostgreSQL: {}", server.url());
                self.variables.push((VARIABLE, server.url()));
                self.postgres = Some(server);
            }
            None => println!("  PostgreSQL: not here (apt-get install postgresql)"),
        }
        Ok(())
    }
}

impl Source {
    fn advice(&self) -> String {
        match self {
            Self::Debian(packages) => format!("apt-get install {}", packages.join(" ")),
            Self::Npm(_) => "CI=true cargo xtask test real".to_owned(),
            Self::Ollama => format!("its recorded answers are played; {}", ollama::BY_HAND),
        }
    }
}

/// Where parts are kept: outside the checkout, so that a fresh clone finds them again.
pub(crate) fn cache(workspace: &Workspace) -> Result<PathBuf> {
    if env::var_os("CARGO_TARGET_DIR").is_some() {
        return Ok(workspace.target.join("parts"));
    }
    let home = env::home_dir().context("no home folder: set CARGO_TARGET_DIR")?;
    Ok(home.join(".cache/garageswarm/parts"))
}

/// The program of that name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_path_is_found_and_another_is_not() {
        assert!(on_path("rustc").is_some());
        assert_eq!(on_path("no-such-program-anywhere"), None);
    }

    #[test]
    fn every_part_has_a_variable_of_its_own() {
        let mut names: Vec<_> = PROGRAMS.iter().map(|program| program.variable).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROGRAMS.len());
    }
}
