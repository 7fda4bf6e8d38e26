//! Programs from PyPI, each in exactly one version and in an environment of its own, in the cache of parts.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use super::{apt, on_path};
use crate::cargo::run;

/// A program of a Python package.
pub(crate) struct Package {
    name: &'static str,
    version: &'static str,
}

/// Fuzzes an interface by its OpenAPI document.
pub(crate) const SCHEMATHESIS: Package = Package { name: "schemathesis", version: "4.32.5" };

impl Package {
    /// The program, if it was installed before.
    pub(crate) fn found(&self, cache: &Path) -> Option<PathBuf> {
        let path = self.folder(cache).join(BIN).join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        path.is_file().then_some(path)
    }

    pub(crate) fn install(&self, cache: &Path) -> Result<()> {
        let folder = self.folder(cache);
        std::fs::create_dir_all(cache)?;
        if !environment(&folder) {
            // Debian keeps the half of `venv` that brings pip in a package of its own.
            apt::install(&["python3", "python3-venv"])?;
            if !environment(&folder) {
                bail!("`python3 -m venv` makes no environment in {}", folder.display());
            }
        }
        let package = format!("{}=={}", self.name, self.version);
        println!("pip install {package}");
        let mut pip = Command::new(folder.join(BIN).join(format!("python{}", std::env::consts::EXE_SUFFIX)));
        run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package]))?;
        if self.found(cache).is_none() {
            bail!("{package} holds no program `{}`", self.name);
        }
        Ok(())
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, self.version))
    }
}

/// Where an environment has its programs.
const BIN: &str = if cfg!(windows) { "Scripts" } else { "bin" };

/// Makes an environment with pip in it; whether that went well.
fn environment(folder: &Path) -> bool {
    let Some(python) = on_path("python3").or_else(|| on_path("python")) else { return false };
    let made = Command::new(python).args(["-m", "venv", "--clear"]).arg(folder).stdout(Stdio::null()).status();
    made.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_installed_is_not_found() {
        assert_eq!(SCHEMATHESIS.found(Path::new("/nonexistent")), None);
    }
}
