//! What differs between the programs that hold an agent: where data lies, where secrets are kept, which
//! program guards the runs.
//!
//! The agent asks for nothing else of its surroundings. [`FileHost`] is what a plain process has; an app with
//! a keychain brings its own.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_tools::GuardBinary;

use crate::durable;

/// The surroundings of an agent. Methods may block; the agent calls them where that is allowed.
pub trait Host: Send + Sync + fmt::Debug {
    /// The folder that belongs to this agent alone.
    fn data_dir(&self) -> &Path;

    /// The program that guards runs when it is started with `guard`.
    fn guard_binary(&self) -> GuardBinary;

    /// A secret by name; none where there is none.
    fn secret(&self, name: &str) -> Result<Option<String>, HostError>;

    /// Keeps a secret in place of an earlier one of that name, and says where.
    fn set_secret(&self, name: &str, value: &str) -> Result<SecretPlace, HostError>;

    /// Where a secret is kept; none where there is none of that name.
    fn secret_place(&self, name: &str) -> Result<Option<SecretPlace>, HostError>;

    /// Forgets a secret; one that is not there is no failure.
    fn forget_secret(&self, name: &str) -> Result<(), HostError>;
}

/// Where a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In the system's keychain.
    Keychain,
    /// In a file that only its owner may read.
    File,
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keychain => "in the keychain",
            Self::File => "in a file that only you may read",
        })
    }
}

/// A secret that could not be read, kept or forgotten.
#[derive(Debug, thiserror::Error)]
#[error("the secret \"{name}\" is out of reach")]
pub struct HostError {
    /// Which secret.
    pub name: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl HostError {
    /// A secret that is out of reach for the reason given.
    pub fn new(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { name: name.to_owned(), source: source.into() }
    }
}

/// A host that keeps secrets in files only their owner may read.
#[derive(Debug, Clone)]
pub struct FileHost {
    data_dir: PathBuf,
    guard: GuardBinary,
}

impl FileHost {
    /// A host with its data in this folder.
    pub fn new(data_dir: impl Into<PathBuf>, guard: GuardBinary) -> Self {
        Self { data_dir: data_dir.into(), guard }
    }

    /// Where a secret lies. Names come from our own code; what is not plain in them is replaced all the same.
    fn file_of(&self, name: &str) -> PathBuf {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        self.data_dir.join("secrets").join(plain)
    }
}

impl Host for FileHost {
    fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn guard_binary(&self) -> GuardBinary {
        self.guard.clone()
    }

    fn secret(&self, name: &str) -> Result<Option<String>, HostError> {
        match std::fs::read_to_string(self.file_of(name)) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(HostError::new(name, error)),
        }
    }

    fn set_secret(&self, name: &str, value: &str) -> Result<SecretPlace, HostError> {
        let file = self.file_of(name);
        let write = || {
            durable::make_private_dir(&self.data_dir.join("secrets"))?;
            durable::replace(&file, value.as_bytes())
        };
        write().map(|()| SecretPlace::File).map_err(|error| HostError::new(name, error))
    }

    fn secret_place(&self, name: &str) -> Result<Option<SecretPlace>, HostError> {
        Ok(self.secret(name)?.map(|_| SecretPlace::File))
    }

    fn forget_secret(&self, name: &str) -> Result<(), HostError> {
        match std::fs::remove_file(self.file_of(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(HostError::new(name, error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let host = FileHost::new(folder.path(), GuardBinary("guard".into()));
        assert_eq!(host.secret("worker").unwrap(), None);
        host.set_secret("worker", "one").unwrap();
        host.set_secret("worker", "two").unwrap();
        assert_eq!(host.secret("worker").unwrap().as_deref(), Some("two"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(host.file_of("worker")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        host.forget_secret("worker").unwrap();
        host.forget_secret("worker").unwrap();
        assert_eq!(host.secret("worker").unwrap(), None);
    }
}
