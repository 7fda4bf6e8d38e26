//! Who this agent is: `identity.json` in its data folder.
//!
//! The machine's id is random and made once. The credential is not here: the host keeps it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_client::Fingerprint;
use swarm_model::WorkerId;
use swarm_model::id::{Entropy as _, SystemEntropy};

use crate::durable;

const FILE: &str = "identity.json";

/// Which machine this is, and as which worker which coordinator knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// Random, made at the first start.
    pub machine_id: String,
    /// The coordinator that it joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
}

/// A coordinator that this machine joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joined {
    /// Its address.
    pub coordinator: String,
    /// The certificate that it must have; none where the usual authorities vouch for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// As whom it knows this agent.
    pub worker_id: WorkerId,
}

/// An identity that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is out of reach.
    #[error("{path} cannot be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} is damaged: move it away, and join the coordinator anew with a key")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Identity {
    /// Reads who we are, or makes it up at the first start.
    pub(crate) fn load_or_create(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(FILE);
        match std::fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).map_err(|source| IdentityError::Damaged { path, source }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut random = [0; 16];
                random[6..].copy_from_slice(&SystemEntropy.ten_bytes());
                let machine_id = format!("{:020x}", u128::from_be_bytes(random));
                let identity = Self { machine_id, joined: None };
                identity.save(data_dir)?;
                Ok(identity)
            }
            Err(source) => Err(IdentityError::File { path, source }),
        }
    }

    /// Keeps the address at which the coordinator was found again.
    pub(crate) fn keep_address(data_dir: &Path, coordinator: &str) -> Result<(), IdentityError> {
        let mut identity = Self::load_or_create(data_dir)?;
        match &mut identity.joined {
            Some(joined) if joined.coordinator != coordinator => coordinator.clone_into(&mut joined.coordinator),
            _ => return Ok(()),
        }
        identity.save(data_dir)
    }

    pub(crate) fn save(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = data_dir.join(FILE);
        let mut content =
            serde_json::to_vec_pretty(self).map_err(|source| IdentityError::Damaged { path: path.clone(), source })?;
        content.push(b'\n');
        durable::replace(&path, &content).map_err(|source| IdentityError::File { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_stays_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(folder.path()).unwrap();
        assert_eq!(first.machine_id.len(), 20);
        assert_eq!(Identity::load_or_create(folder.path()).unwrap(), first);
    }

    #[test]
    fn a_machine_that_joined_before_there_were_pins_is_still_joined() {
        let folder = tempfile::tempdir().unwrap();
        let worker = "01890000-0000-7000-8000-000000000001";
        let older =
            format!(r#"{{"machine_id":"m","joined":{{"coordinator":"http://127.0.0.1:1","worker_id":"{worker}"}}}}"#);
        std::fs::write(folder.path().join(FILE), older).unwrap();
        let joined = Identity::load_or_create(folder.path()).unwrap().joined.unwrap();
        assert_eq!((joined.coordinator.as_str(), joined.fingerprint), ("http://127.0.0.1:1", None));
    }

    #[test]
    fn a_new_address_is_kept_with_the_pin() {
        let folder = tempfile::tempdir().unwrap();
        let mut identity = Identity::load_or_create(folder.path()).unwrap();
        let worker_id = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let fingerprint = Some(Fingerprint::new([7; 32]));
        let joined = |coordinator: &str| Joined { coordinator: coordinator.to_owned(), fingerprint, worker_id };
        identity.joined = Some(joined("https://10.0.0.2:8421"));
        identity.save(folder.path()).unwrap();
        Identity::keep_address(folder.path(), "https://10.0.0.9:8421").unwrap();
        let found = Identity::load_or_create(folder.path()).unwrap();
        assert_eq!(found, Identity { joined: Some(joined("https://10.0.0.9:8421")), ..identity });
    }

    #[test]
    fn a_damaged_identity_is_told_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(matches!(Identity::load_or_create(folder.path()), Err(IdentityError::Damaged { .. })));
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "{");
    }
}
