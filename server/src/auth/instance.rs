//! The secret of this instance: a file of its own, readable by its user alone.
//!
//! The successor of a refresh token is computed from the token and this secret, so that two tabs that show the
//! same token get the same answer although only hashes are stored. Losing the file ends no session: only an
//! exchange that is under way in that very moment.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::secret::{Purpose, with_prefix};

const FILE: &str = "instance.key";

/// The secret of this instance.
#[derive(Clone)]
pub(super) struct InstanceSecret([u8; 32]);

impl fmt::Debug for InstanceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceSecret")
    }
}

impl InstanceSecret {
    /// Reads the secret in the data folder, or draws one on the first start.
    pub(super) fn load(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => blake3::Hash::from_hex(text.trim()).map(|hash| Self(*hash.as_bytes())).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} holds no secret: remove it, and a new one is drawn", path.display()),
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::draw(data_dir, &path),
            Err(error) => Err(error),
        }
    }

    fn draw(data_dir: &Path, path: &Path) -> io::Result<Self> {
        fs::create_dir_all(data_dir)?;
        let bits: [u8; 32] = rand::random();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(blake3::Hash::from_bytes(bits).to_hex().as_bytes())?;
        file.sync_all()?;
        Ok(Self(bits))
    }

    /// What follows a refresh token: always the same.
    pub(super) fn successor(&self, presented: &str) -> String {
        with_prefix(Purpose::Refresh, blake3::keyed_hash(&self.0, presented.as_bytes()).as_bytes())
    }

    /// A name for this instance that gives nothing away; cookies of several on one machine are told apart by it.
    pub(super) fn public_name(&self) -> String {
        let name = blake3::derive_key("garageswarm 2026 name of an instance", &self.0);
        blake3::Hash::from_bytes(name).to_hex()[..8].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = InstanceSecret::load(folder.path()).unwrap();
        let again = InstanceSecret::load(folder.path()).unwrap();
        assert_eq!(first.successor("x"), again.successor("x"));
        assert_ne!(first.successor("x"), first.successor("y"));
        assert_eq!(first.public_name(), again.public_name());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        InstanceSecret::load(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_not_replaced_silently() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "").unwrap();
        assert_eq!(InstanceSecret::load(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
