//! Who owns a database: one coordinator, embedded or on PostgreSQL.
//!
//! The embedded store locks a file beside the database. The lock is the operating system's, so that it ends
//! with the process however that ended; what stands in the file only tells a second one whom it met.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// The coordinator that owns a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Where it listens.
    pub address: String,
}

impl Holder {
    /// This process, on `host`, listening on `address`.
    pub fn this_process(host: impl Into<String>, address: impl Into<String>) -> Self {
        Self { pid: std::process::id(), host: host.into(), address: address.into() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another coordinator");
        }
        write!(f, "the coordinator with process {} on {}", self.pid, self.host)?;
        if self.address.is_empty() { Ok(()) } else { write!(f, ", listening on {}", self.address) }
    }
}

/// The lock of an embedded database, held until it is dropped.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    /// Takes the lock of the database at `database`, or says who has it.
    pub(crate) fn take(database: &Path, holder: &Holder) -> Result<Self, StoreError> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(lock_path(database))?;
        match file.try_lock() {
            Ok(()) => {}
            // Where a lock also forbids to read, the holder stays unnamed.
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { holder: read_holder(&mut file).unwrap_or_default() });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let text = serde_json::to_vec(holder).map_err(|error| StoreError::Encode(error.into()))?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&text)?;
        file.flush()?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("swarm.db");
        let first = Holder::this_process("attic", "127.0.0.1:8420");
        let lock = DatabaseLock::take(&database, &first).unwrap();
        let met = DatabaseLock::take(&database, &Holder::this_process("attic", "")).unwrap_err();
        assert!(matches!(&met, StoreError::Locked { holder } if *holder == first), "{met}");
        drop(lock);
        drop(DatabaseLock::take(&database, &first).unwrap());
    }
}
