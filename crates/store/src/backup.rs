//! Backup and restore of the embedded store.
//!
//! A backup is a folder: a whole copy of the database as of one moment, the contents that it names, and a
//! manifest with the hash of each, written last. A folder without a manifest is no backup. Making one needs
//! no lock and disturbs nobody; restoring needs the lock of the folder it restores into, and checks
//! everything before it touches anything there.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_model::Timestamp;
use tokio::fs::{self, File};

use crate::blobs::{blob_path, is_hash, sync_folder};
use crate::error::StoreError;
use crate::holder::{DatabaseLock, Holder};
use crate::sql::{SCHEMA_VERSION, copy_database, inspect_database};

/// The database in a data folder and in a backup.
pub const DATABASE_FILE: &str = "garageswarm.db";
/// The contents in a data folder and in a backup.
pub const BLOBS_DIR: &str = "blobs";
/// What a backup holds.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The form of a backup that this version writes and reads.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub format: u32,
    /// The schema of its database.
    pub schema_version: i64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The database.
    pub database: Stored,
    /// The contents.
    pub blobs: Vec<Stored>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// BLAKE3, in hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

/// Copies the store in `data_dir` to `target`, which must be empty or missing. A coordinator may run meanwhile.
pub async fn backup(data_dir: &Path, target: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
    let database = data_dir.join(DATABASE_FILE);
    if !fs::try_exists(&database).await? {
        return Err(StoreError::not_found("database"));
    }
    fs::create_dir_all(target).await?;
    refuse_unless_empty(target).await?;

    let copy = target.join(DATABASE_FILE);
    copy_database(&database, &copy).await?;
    let found = inspect_database(&copy).await?;
    let mut blobs = Vec::new();
    for hash in found.hashes.into_iter().filter(|hash| is_hash(hash)) {
        match copy_file(&blob_path(&data_dir.join(BLOBS_DIR), &hash), &blob_path(&target.join(BLOBS_DIR), &hash)).await
        {
            Ok(stored) if stored.hash == hash => blobs.push(stored),
            Ok(stored) => return Err(StoreError::WrongContent { expected: hash, found: stored.hash }),
            // A task that was deleted after the copy of the database took its contents with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => tracing::warn!(hash, "content is gone"),
            Err(error) => return Err(error.into()),
        }
    }
    let database = hash_file(&copy).await?;
    File::open(&copy).await?.sync_all().await?;
    let manifest = Manifest { format: FORMAT, schema_version: found.schema_version, made_at: now, database, blobs };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| StoreError::Encode(error.into()))?;
    write_file(&target.join(MANIFEST_FILE), &text).await?;
    sync_folder(target).await?;
    Ok(manifest)
}

/// Checks that a backup is whole, and says what it holds.
pub async fn verify(source: &Path) -> Result<Manifest, StoreError> {
    let bad = |reason: String| StoreError::BadBackup { reason };
    let text = match fs::read(source.join(MANIFEST_FILE)).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(bad("it has no manifest".to_owned())),
        Err(error) => return Err(error.into()),
    };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| bad(format!("its manifest: {error}")))?;
    if manifest.format != FORMAT {
        return Err(bad(format!("it has form {}, and this version reads form {FORMAT}", manifest.format)));
    }
    if manifest.schema_version > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema { found: manifest.schema_version, known: SCHEMA_VERSION });
    }
    let blobs = source.join(BLOBS_DIR);
    let mut files = vec![(source.join(DATABASE_FILE), &manifest.database)];
    for blob in &manifest.blobs {
        if !is_hash(&blob.hash) {
            return Err(bad(format!("\"{}\" names no content", blob.hash)));
        }
        files.push((blob_path(&blobs, &blob.hash), blob));
    }
    for (path, expected) in files {
        let name = path.strip_prefix(source).unwrap_or(&path).display().to_string();
        match hash_file(&path).await {
            Ok(found) if found == *expected => {}
            Ok(_) => return Err(bad(format!("{name} was changed"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(bad(format!("{name} is missing"))),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(manifest)
}

/// Puts a backup in place of the store in `data_dir`. Refuses while a coordinator owns that store, and, unless
/// `force`, when the folder holds anything.
pub async fn restore(source: &Path, data_dir: &Path, force: bool, holder: &Holder) -> Result<Manifest, StoreError> {
    let manifest = verify(source).await?;
    fs::create_dir_all(data_dir).await?;
    let database = data_dir.join(DATABASE_FILE);
    let had_database = fs::try_exists(&database).await?;
    if !force {
        refuse_unless_empty(data_dir).await?;
    }
    let _lock = DatabaseLock::take(&database, holder)?;

    let beside = data_dir.join("garageswarm.db.restoring");
    remove_if_there(&beside).await?;
    copy_file(&source.join(DATABASE_FILE), &beside).await?;
    inspect_database(&beside).await?;
    for blob in &manifest.blobs {
        copy_file(&blob_path(&source.join(BLOBS_DIR), &blob.hash), &blob_path(&data_dir.join(BLOBS_DIR), &blob.hash))
            .await?;
    }
    if had_database {
        // The log belongs to the old database and would be applied to the new one.
        remove_if_there(&with_suffix(&database, "-wal")).await?;
        remove_if_there(&with_suffix(&database, "-shm")).await?;
    }
    fs::rename(&beside, &database).await?;
    sync_folder(data_dir).await?;
    Ok(manifest)
}

async fn refuse_unless_empty(folder: &Path) -> Result<(), StoreError> {
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if !entry.file_name().to_string_lossy().ends_with(".lock") {
            return Err(StoreError::NotEmpty { folder: folder.display().to_string() });
        }
    }
    Ok(())
}

async fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

async fn copy_file(from: &Path, to: &Path) -> io::Result<Stored> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await?;
    }
    fs::copy(from, to).await?;
    let copy = File::options().read(true).write(true).open(to).await?;
    copy.sync_all().await?;
    hash_file(to).await
}

async fn write_file(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = with_suffix(path, ".part");
    fs::write(&beside, text).await?;
    File::options().write(true).open(&beside).await?.sync_all().await?;
    fs::rename(&beside, path).await
}

async fn hash_file(path: &Path) -> io::Result<Stored> {
    let path = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        let hash = blake3::Hasher::new().update_reader(file)?.finalize().to_hex().to_string();
        Ok(Stored { hash, size })
    });
    hashed.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
