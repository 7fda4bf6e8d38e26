//! AI command-line tools from npm, each in exactly one version, in the cache of parts.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{apt, on_path};
use crate::cargo::run;

/// A native program inside an npm package for this platform.
pub(crate) struct Package {
    /// Without the platform at its end.
    name: &'static str,
    version: &'static str,
    program: &'static str,
}

/// The platform's own package: it needs no Node to run and no script to install.
pub(crate) const CLAUDE: Package = Package { name: "@anthropic-ai/claude-code", version: "2.1.329", program: "claude" };

impl Package {
    /// The program, if it was installed before.
    pub(crate) fn found(&self, cache: &Path) -> Option<PathBuf> {
        let program = format!("{}{}", self.program, env::consts::EXE_SUFFIX);
        let path = self.folder(cache).join("node_modules").join(self.platform_name()).join(program);
        path.is_file().then_some(path)
    }

    pub(crate) fn install(&self, cache: &Path) -> Result<()> {
        if on_path("npm").is_none() {
            apt::install(&["npm"])?;
        }
        let folder = self.folder(cache);
        std::fs::create_dir_all(&folder)?;
        let package = format!("{}@{}", self.platform_name(), self.version);
        println!("npm install {package}");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&folder).arg(&package);
        run(&mut npm)?;
        if self.found(cache).is_none() {
            bail!("{package} holds no program `{}`", self.program);
        }
        Ok(())
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.program, self.version))
    }

    fn platform_name(&self) -> String {
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
        format!("{}-{system}-{processor}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn the_package_is_the_platforms_own() {
        assert_eq!(CLAUDE.platform_name(), "@anthropic-ai/claude-code-linux-x64");
    }

    #[test]
    fn what_was_never_installed_is_not_found() {
        assert_eq!(CLAUDE.found(Path::new("/nonexistent")), None);
    }
}
