//! What the command line remembers of coordinators: where they are, who signed in, and where the token is.
//!
//! One file in the configuration folder, readable by its owner alone. Tokens are in the keychain where there is
//! one, else in that file. The coordinator of `up` is known by its data folder, for its address may change;
//! every other one by its address.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_client::{Address, Coordinator, Fingerprint};

use crate::failure::{Exit, Failure, with_causes};
use crate::places::{Places, make_private_dir};
use crate::vault::Vault;

const FILE: &str = "sign-ins.json";

/// The coordinators that this account has signed in to, the latest one first.
#[derive(Debug)]
pub(crate) struct SignIns {
    path: PathBuf,
    vault: Vault,
    known: Known,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    sign_ins: Vec<SignIn>,
}

/// One coordinator, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// Where it is.
    pub(crate) coordinator: Address,
    /// The certificate that it must have; none where the usual authorities vouch for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The data folder, where it is the coordinator of `up` on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The name of who signed in.
    pub(crate) username: String,
    token: Kept,
}

/// Where a token is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
enum Kept {
    Keychain,
    File { token: String },
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keychain => "Keychain",
            Self::File { .. } => "File(..)",
        })
    }
}

impl SignIns {
    pub(crate) fn load(places: &Places, vault: Vault) -> Result<Self, Failure> {
        let path = places.config_dir.join(FILE);
        let known = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).map_err(|error| {
                Failure::new(Exit::Fault, format!("{} is damaged: {error}", path.display()))
                    .advise("move it away and sign in again with `garageswarm login`")
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Known::default(),
            Err(error) => return Err(Failure::new(Exit::Fault, format!("{} cannot be read: {error}", path.display()))),
        };
        Ok(Self { path, vault, known })
    }

    /// The one that was used last.
    pub(crate) fn latest(&self) -> Option<&SignIn> {
        self.known.sign_ins.first()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All of them, the latest one first.
    pub(crate) fn all(&self) -> &[SignIn] {
        &self.known.sign_ins
    }

    /// The latest one at an address.
    pub(crate) fn at(&self, address: &Address) -> Option<&SignIn> {
        self.known.sign_ins.iter().find(|sign_in| sign_in.coordinator == *address)
    }

    /// The one of the coordinator with this data folder.
    pub(crate) fn of_data_dir(&self, data_dir: &Path) -> Option<&SignIn> {
        self.known.sign_ins.iter().find(|sign_in| sign_in.data_dir.as_deref() == Some(data_dir))
    }

    /// The token of a sign-in; none where it is gone.
    pub(crate) fn token(&self, sign_in: &SignIn) -> Result<Option<String>, Failure> {
        match &sign_in.token {
            Kept::File { token } => Ok(Some(token.clone())),
            Kept::Keychain => self.vault.get(&sign_in.name_in_keychain()).map_err(|error| {
                Failure::new(
                    Exit::NoAccess,
                    format!("your sign-in to {} is in the keychain: {}", sign_in.coordinator, with_causes(&error)),
                )
                .advise("unlock the keychain, or sign in again with `garageswarm login`")
            }),
        }
    }

    /// Keeps a sign-in as the latest one, in place of an earlier one of the same coordinator. Says where.
    pub(crate) fn keep(
        &mut self,
        coordinator: &Coordinator,
        data_dir: Option<&Path>,
        username: &str,
        token: &str,
    ) -> Result<String, Failure> {
        let mut new = SignIn {
            coordinator: coordinator.address().clone(),
            fingerprint: coordinator.pin(),
            data_dir: data_dir.map(Path::to_owned),
            username: username.to_owned(),
            token: Kept::Keychain,
        };
        let place = match self.vault.set(&new.name_in_keychain(), token) {
            Ok(()) => "the keychain".to_owned(),
            Err(error) => {
                new.token = Kept::File { token: token.to_owned() };
                format!("a file that only you may read ({}); `garageswarm doctor` looks into it", with_causes(&error))
            }
        };
        self.known.sign_ins.retain(|known| !known.is_same(&new));
        self.known.sign_ins.insert(0, new);
        self.save()?;
        Ok(place)
    }

    /// Makes the sign-in of the coordinator with this data folder the latest one, now at this address.
    pub(crate) fn moved(&mut self, data_dir: &Path, coordinator: &Address) -> Result<(), Failure> {
        let is_it = |sign_in: &SignIn| sign_in.data_dir.as_deref() == Some(data_dir);
        if let Some(index) = self.known.sign_ins.iter().position(is_it) {
            let mut sign_in = self.known.sign_ins.remove(index);
            sign_in.coordinator = coordinator.clone();
            self.known.sign_ins.insert(0, sign_in);
            self.save()?;
        }
        Ok(())
    }

    /// Forgets a sign-in with its token.
    pub(crate) fn forget(&mut self, sign_in: &SignIn) -> Result<(), Failure> {
        if sign_in.token == Kept::Keychain {
            // The token ends on the coordinator; what may be left in the keychain opens nothing.
            self.vault.forget(&sign_in.name_in_keychain()).ok();
        }
        self.known.sign_ins.retain(|known| known != sign_in);
        self.save()
    }

    fn save(&self) -> Result<(), Failure> {
        if let Some(folder) = self.path.parent() {
            make_private_dir(folder)?;
        }
        let content = serde_json::to_vec_pretty(&self.known).map_err(Failure::fault)?;
        write_private(&self.path, &content)
            .map_err(|error| Failure::new(Exit::Fault, format!("{} cannot be written: {error}", self.path.display())))
    }
}

impl SignIn {
    /// Keychain entries are named by coordinator and data folder. The one of `up` is named by its folder alone,
    /// for its address may change.
    fn name_in_keychain(&self) -> String {
        match &self.data_dir {
            Some(folder) => format!("up {}", folder.display()),
            None => format!("{} {}", self.coordinator, self.username),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        if self.data_dir.is_some() || other.data_dir.is_some() {
            self.data_dir == other.data_dir
        } else {
            self.coordinator == other.coordinator
        }
    }

    /// Whether the token is in the keychain.
    pub(crate) fn is_in_keychain(&self) -> bool {
        self.token == Kept::Keychain
    }
}

/// Replaces a file in one step, with nobody else allowed to read it.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_ins(folder: &Path) -> SignIns {
        SignIns { path: folder.join(FILE), vault: Vault::off(), known: Known::default() }
    }

    fn at(address: &Address) -> Coordinator {
        Coordinator::at(address.clone()).unwrap()
    }

    fn again(folder: &Path) -> SignIns {
        let known = serde_json::from_slice(&fs::read(folder.join(FILE)).unwrap()).unwrap();
        SignIns { known, ..sign_ins(folder) }
    }

    #[test]
    fn the_latest_one_comes_first_and_replaces_its_predecessor() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two): (Address, Address) =
            ("http://127.0.0.1:1".parse().unwrap(), "https://two.example".parse().unwrap());
        let mut known = sign_ins(folder.path());
        known.keep(&at(&one), None, "ada", "first").unwrap();
        known.keep(&at(&two), None, "ada", "second").unwrap();
        known.keep(&at(&one), None, "ben", "third").unwrap();

        let known = again(folder.path());
        assert_eq!(known.latest().unwrap().coordinator, one);
        assert_eq!(known.token(known.at(&one).unwrap()).unwrap().as_deref(), Some("third"));
        assert_eq!(known.known.sign_ins.len(), 2);
    }

    #[test]
    fn the_coordinator_of_up_is_known_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after): (Address, Address) =
            ("http://127.0.0.1:1".parse().unwrap(), "http://127.0.0.1:2".parse().unwrap());
        let mut known = sign_ins(folder.path());
        known.keep(&at(&before), Some(Path::new("/data")), "ada", "token").unwrap();
        known.keep(&at(&before), None, "ada", "of another coordinator").unwrap();
        known.moved(Path::new("/data"), &after).unwrap();
        let known = again(folder.path());
        assert_eq!(known.latest().unwrap().coordinator, after);
        assert_eq!(known.token(known.of_data_dir(Path::new("/data")).unwrap()).unwrap().as_deref(), Some("token"));
        assert!(known.at(&before).is_some());
    }

    #[test]
    fn the_pin_is_kept_beside_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let (address, pin) = ("https://10.0.0.2:8421".parse::<Address>().unwrap(), Fingerprint::new([7; 32]));
        let mut known = sign_ins(folder.path());
        known.keep(&Coordinator::pinned(address.clone(), pin).unwrap(), None, "ada", "token").unwrap();
        assert_eq!(again(folder.path()).at(&address).unwrap().fingerprint, Some(pin));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut known = sign_ins(folder.path());
        known.keep(&at(&"http://127.0.0.1:1".parse().unwrap()), None, "ada", "token").unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shown = format!("{known:?}");
        assert!(!shown.contains("\"token\""), "{shown}");
    }
}
