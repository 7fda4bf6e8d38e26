//! AI command-line tools from npm, each in exactly one version, in the cache of parts.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{apt, on_path};
use crate::cargo::run;

/// A program inside an npm package.
pub(crate) struct Package {
    name: &'static str,
    version: &'static str,
    program: &'static str,
    kind: Kind,
}

/// How a package is made for a platform, and where its program stands.
enum Kind {
    /// A package of its own for each platform: it needs no Node to run and no script to install.
    Named,
    /// A version of its own for each platform, likewise.
    Versioned,
    /// JavaScript for all of them, at this place; what is optional in it is left out.
    Script(&'static str),
}

pub(crate) const CLAUDE: Package =
    Package { name: "@anthropic-ai/claude-code", version: "2.1.329", program: "claude", kind: Kind::Named };
pub(crate) const CODEX: Package =
    Package { name: "@openai/codex", version: "0.169.0", program: "codex", kind: Kind::Versioned };
pub(crate) const GEMINI: Package = Package {
    name: "@google/gemini-cli",
    version: "0.61.0",
    program: "gemini",
    kind: Kind::Script("bundle/gemini.js"),
};

/// What scripts need at least.
const NODE: u32 = 20;

impl Package {
    /// The program, if it was installed before, and can run.
    pub(crate) fn found(&self, cache: &Path) -> Option<PathBuf> {
        let path = self.program(cache);
        (path.is_file() && self.lacks().is_none()).then_some(path)
    }

    pub(crate) fn install(&self, cache: &Path) -> Result<()> {
        if on_path("npm").is_none() {
            apt::install(&["npm"])?;
        }
        if let Some(lacks) = self.lacks() {
            bail!(lacks);
        }
        let folder = self.folder(cache);
        std::fs::create_dir_all(&folder)?;
        let package = self.wanted();
        println!("npm install {package}");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--prefix"]);
        run(npm.arg(&folder).arg(&package))?;
        if self.found(cache).is_none() {
            bail!("{package} holds no program `{}`", self.program);
        }
        Ok(())
    }

    /// What this machine lacks to run it, for people.
    fn lacks(&self) -> Option<String> {
        let is_script = matches!(self.kind, Kind::Script(_));
        (is_script && node_version().is_none_or(|version| version < NODE))
            .then(|| format!("{} runs on Node {NODE} or later, which is not on PATH", self.program))
    }

    /// What npm is asked for.
    fn wanted(&self) -> String {
        let Self { name, version, .. } = self;
        match self.kind {
            Kind::Named => format!("{name}-{}@{version}", platform()),
            Kind::Versioned => format!("{name}@{version}-{}", platform()),
            Kind::Script(_) => format!("{name}@{version}"),
        }
    }

    fn program(&self, cache: &Path) -> PathBuf {
        let modules = self.folder(cache).join("node_modules");
        let program = format!("{}{}", self.program, env::consts::EXE_SUFFIX);
        match self.kind {
            Kind::Named => modules.join(format!("{}-{}", self.name, platform())).join(program),
            Kind::Versioned => modules.join(self.name).join("vendor").join(target()).join("bin").join(program),
            Kind::Script(place) => modules.join(self.name).join(place),
        }
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.program, self.version))
    }
}

/// The platform in npm's words.
fn platform() -> String {
    let system = match env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let processor = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{processor}")
}

/// The platform in Rust's words, of programs that run wherever its system does.
fn target() -> String {
    let system = match env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "pc-windows-msvc",
        _ => "unknown-linux-musl",
    };
    format!("{}-{system}", env::consts::ARCH)
}

/// The major version of the Node on PATH.
fn node_version() -> Option<u32> {
    let output = Command::new(on_path("node")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn the_package_is_the_platforms_own() {
        assert_eq!(CLAUDE.wanted(), "@anthropic-ai/claude-code-linux-x64@2.1.329");
        assert_eq!(CODEX.wanted(), "@openai/codex@0.169.0-linux-x64");
        assert!(CODEX.program(Path::new("")).ends_with("vendor/x86_64-unknown-linux-musl/bin/codex"));
        assert_eq!(GEMINI.wanted(), "@google/gemini-cli@0.61.0");
    }

    #[test]
    fn what_was_never_installed_is_not_found() {
        for package in [CLAUDE, CODEX, GEMINI] {
            assert_eq!(package.found(Path::new("/nonexistent")), None);
        }
    }
}
