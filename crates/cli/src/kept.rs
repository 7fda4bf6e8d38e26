//! Where the workers that this program hosts keep their credential, and the keys of their tools: in the keychain where there is one that
//! answers, else in a file that only its owner may read; never in both.
//!
//! A small file beside says that it is in the keychain, and under which name, so that a keychain that is locked or
//! gone is told from a machine that never joined.

use std::path::{Path, PathBuf};

use swarm_agent::{FileHost, Host, HostError, SecretPlace};
use swarm_tools::GuardBinary;

use crate::failure::with_causes;
use crate::output::Output;
use crate::vault::{Vault, VaultError};

/// The secret of a worker, as its agent names it.
const CREDENTIAL: &str = "worker-credential";

/// The surroundings of a worker in this program.
#[derive(Debug)]
pub(crate) struct KeptHost {
    files: FileHost,
    vault: Vault,
    output: Output,
    /// Whether a credential that is out of reach can be replaced by joining anew.
    can_rejoin: bool,
    /// Whether secrets may move from a file into the keychain.
    moves: bool,
}

/// Where the credential of a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the keychain, under this name.
    Keychain(String),
    /// In a file below the data folder.
    File,
    /// There is none: the machine has not joined.
    Nowhere,
}

/// A credential that was put into the keychain and cannot be had from it.
#[derive(Debug, thiserror::Error)]
enum OutOfReach {
    #[error("it was put into the keychain, where it is no more")]
    Gone,
    #[error("it is in the keychain")]
    Locked(#[source] VaultError),
}

impl KeptHost {
    pub(crate) fn new(data_dir: PathBuf, guard: GuardBinary, vault: Vault, output: Output) -> Self {
        Self { files: FileHost::new(data_dir, guard), vault, output, can_rejoin: false, moves: true }
    }

    /// For a worker that was given a key: it joins anew where its credential is out of reach.
    pub(crate) fn with_key(mut self, has_key: bool) -> Self {
        self.can_rejoin = has_key;
        self
    }

    /// For whoever only looks: everything stays where it is.
    pub(crate) fn looking(mut self) -> Self {
        self.moves = false;
        self
    }

    /// Where the credential of the worker in this folder is.
    pub(crate) fn place(data_dir: &Path) -> Result<Place, HostError> {
        let files = FileHost::new(data_dir, GuardBinary(PathBuf::new()));
        if files.secret(CREDENTIAL)?.is_some() {
            return Ok(Place::File);
        }
        Ok(files.secret(&marker(CREDENTIAL))?.map_or(Place::Nowhere, Place::Keychain))
    }

    /// The name in the keychain. The data folder is joined to one coordinator at a time, whose address may change.
    fn entry(&self, name: &str) -> String {
        format!("{name} {}", self.files.data_dir().display())
    }

    /// Puts a secret into the keychain and out of the files.
    fn put_away(&self, name: &str, secret: &str) -> Result<(), PutAway> {
        let entry = self.entry(name);
        self.vault.set(&entry, secret).map_err(PutAway::Vault)?;
        let noted = self.files.set_secret(&marker(name), &entry);
        noted.and_then(|_| self.files.forget_secret(name)).map_err(PutAway::Host)
    }
}

/// Why a secret is not in the keychain, or not properly.
enum PutAway {
    Vault(VaultError),
    Host(HostError),
}

impl Host for KeptHost {
    fn data_dir(&self) -> &Path {
        self.files.data_dir()
    }

    fn guard_binary(&self) -> GuardBinary {
        self.files.guard_binary()
    }

    fn secret(&self, name: &str) -> Result<Option<String>, HostError> {
        if let Some(secret) = self.files.secret(name)? {
            if !self.moves {
                return Ok(Some(secret));
            }
            // From before there was a keychain that answers. Where there is still none, it stays.
            return match self.put_away(name, &secret) {
                Ok(()) | Err(PutAway::Vault(_)) => Ok(Some(secret)),
                Err(PutAway::Host(error)) => Err(error),
            };
        }
        let Some(entry) = self.files.secret(&marker(name))? else { return Ok(None) };
        let why = match self.vault.get(&entry) {
            Ok(Some(secret)) => return Ok(Some(secret)),
            Ok(None) => OutOfReach::Gone,
            Err(error) => OutOfReach::Locked(error),
        };
        if self.can_rejoin && name == CREDENTIAL {
            self.output
                .remark(&format!("this worker's credential is out of reach, so it joins anew: {}", with_causes(&why)));
            return Ok(None);
        }
        Err(HostError::new(name, why))
    }

    fn set_secret(&self, name: &str, value: &str) -> Result<SecretPlace, HostError> {
        match self.put_away(name, value) {
            Ok(()) => Ok(SecretPlace::Keychain),
            Err(PutAway::Host(error)) => Err(error),
            Err(PutAway::Vault(why)) => {
                self.files.set_secret(name, value)?;
                self.files.forget_secret(&marker(name))?;
                // Whoever gives a key to a tool is told by the command that takes it.
                if name == CREDENTIAL && !matches!(why, VaultError::SwitchedOff) {
                    self.output.remark(&format!(
                        "this worker's credential is kept in a file that only you may read ({}); `garageswarm doctor` looks into it",
                        with_causes(&why)
                    ));
                }
                Ok(SecretPlace::File)
            }
        }
    }

    fn secret_place(&self, name: &str) -> Result<Option<SecretPlace>, HostError> {
        // While it moves, it may be in both.
        if self.files.secret(&marker(name))?.is_some() {
            return Ok(Some(SecretPlace::Keychain));
        }
        self.files.secret_place(name)
    }

    fn forget_secret(&self, name: &str) -> Result<(), HostError> {
        if let Some(entry) = self.files.secret(&marker(name))? {
            self.vault.forget(&entry).map_err(|error| HostError::new(name, error))?;
            self.files.forget_secret(&marker(name))?;
        }
        self.files.forget_secret(name)
    }
}

/// The name of the file that says that a secret is in the keychain.
fn marker(name: &str) -> String {
    format!("{name}-in-keychain")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(folder: &Path, vault: Vault) -> KeptHost {
        KeptHost::new(folder.to_owned(), GuardBinary("guard".into()), vault, Output::new(true))
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder.join("secrets")).unwrap();
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn a_keychain_takes_the_credential_and_no_file_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::of_test();
        let host = host(folder.path(), vault);
        assert_eq!(host.secret(CREDENTIAL).unwrap(), None);
        assert_eq!(KeptHost::place(folder.path()).unwrap(), Place::Nowhere);
        host.set_secret(CREDENTIAL, "very secret").unwrap();
        assert_eq!(host.secret(CREDENTIAL).unwrap().as_deref(), Some("very secret"));
        assert!(files(folder.path()).iter().all(|content| !content.contains("secret")), "{:?}", files(folder.path()));
        assert!(matches!(KeptHost::place(folder.path()).unwrap(), Place::Keychain(_)));
        host.forget_secret(CREDENTIAL).unwrap();
        assert_eq!(host.secret(CREDENTIAL).unwrap(), None);
    }

    #[test]
    fn a_credential_in_a_file_moves_once_there_is_a_keychain() {
        let folder = tempfile::tempdir().unwrap();
        host(folder.path(), Vault::off()).set_secret(CREDENTIAL, "very secret").unwrap();
        assert_eq!(KeptHost::place(folder.path()).unwrap(), Place::File);
        let with_keychain = host(folder.path(), Vault::of_test());
        assert_eq!(with_keychain.secret(CREDENTIAL).unwrap().as_deref(), Some("very secret"));
        assert!(matches!(KeptHost::place(folder.path()).unwrap(), Place::Keychain(_)));
        assert_eq!(with_keychain.secret(CREDENTIAL).unwrap().as_deref(), Some("very secret"));
    }

    #[test]
    fn a_keychain_that_is_gone_is_told_unless_there_is_a_key() {
        let folder = tempfile::tempdir().unwrap();
        host(folder.path(), Vault::of_test()).set_secret(CREDENTIAL, "very secret").unwrap();
        let locked = host(folder.path(), Vault::off());
        let told = with_causes(&locked.secret(CREDENTIAL).unwrap_err());
        assert!(told.contains("it is in the keychain: the keychain is switched off"), "{told}");
        let emptied = with_causes(&host(folder.path(), Vault::of_test()).secret(CREDENTIAL).unwrap_err());
        assert!(emptied.contains("where it is no more"), "{emptied}");
        let locked = locked.with_key(true);
        assert_eq!(locked.secret(CREDENTIAL).unwrap(), None);
        locked.set_secret(CREDENTIAL, "another").unwrap();
        assert_eq!(KeptHost::place(folder.path()).unwrap(), Place::File);
    }

    #[test]
    fn the_key_of_a_tool_is_kept_beside_it_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let (vault, name) = (Vault::of_test(), "tool-key-openai-api");
        let with_keychain = host(folder.path(), vault);
        assert_eq!(with_keychain.secret_place(name).unwrap(), None);
        assert_eq!(with_keychain.set_secret(name, "very secret").unwrap(), SecretPlace::Keychain);
        assert_eq!(with_keychain.secret_place(name).unwrap(), Some(SecretPlace::Keychain));
        // A key of a tool that is out of reach is told, also where the credential could be had anew.
        assert!(host(folder.path(), Vault::off()).with_key(true).secret(name).is_err());
        with_keychain.forget_secret(name).unwrap();

        assert_eq!(host(folder.path(), Vault::off()).set_secret(name, "very secret").unwrap(), SecretPlace::File);
        let looking = host(folder.path(), vault).looking();
        assert_eq!(looking.secret(name).unwrap().as_deref(), Some("very secret"));
        assert_eq!(looking.secret_place(name).unwrap(), Some(SecretPlace::File), "who only looks moves nothing");
        assert_eq!(with_keychain.secret(name).unwrap().as_deref(), Some("very secret"));
        assert_eq!(with_keychain.secret_place(name).unwrap(), Some(SecretPlace::Keychain));
    }
}
