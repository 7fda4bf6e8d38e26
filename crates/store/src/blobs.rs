//! Contents of artifacts and big outputs: files in a folder, named by their BLAKE3 hash.
//!
//! A content that [`Blobs::put`] has acknowledged is on disk under its name, whole: it is written beside,
//! flushed and renamed. It is put before a row names it; what no row names for a while is swept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use swarm_model::Timestamp;
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::artifact::ArtifactStore;
use crate::error::StoreError;

const PIECE: usize = 64 * 1024;
const UNFINISHED: &str = "unfinished";

/// A folder of contents. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    next: AtomicU64,
    /// Held while a file gets or loses its name, so that a sweep does not take away what was just put.
    naming: Mutex<()>,
}

/// A content that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// BLAKE3 of the content, in hexadecimal.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweptBlobs {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Blobs {
    /// Opens a folder, made where it is missing, and removes what an earlier process left unfinished.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let unfinished = path.join(UNFINISHED);
        if fs::try_exists(&unfinished).await? {
            fs::remove_dir_all(&unfinished).await?;
        }
        fs::create_dir_all(&unfinished).await?;
        let folder = Folder { path: path.to_owned(), next: AtomicU64::new(0), naming: Mutex::new(()) };
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Stores a content of at most `limit` bytes; with `expected`, only that one.
    pub async fn put(
        &self,
        content: &mut (dyn AsyncRead + Send + Unpin),
        limit: u64,
        expected: Option<&str>,
    ) -> Result<Blob, StoreError> {
        let number = self.folder.next.fetch_add(1, Ordering::Relaxed);
        let beside = self.folder.path.join(UNFINISHED).join(number.to_string());
        let written = match write(content, &beside, limit).await {
            Ok(blob) if expected.is_none_or(|expected| expected == blob.hash) => Ok(blob),
            Ok(blob) => {
                Err(StoreError::WrongContent { expected: expected.unwrap_or_default().to_owned(), found: blob.hash })
            }
            Err(error) => Err(error),
        };
        let named = match written {
            Ok(blob) => self.name(&beside, &blob).await.map(|()| blob),
            Err(error) => Err(error),
        };
        if named.is_err() {
            // The disk may be full: what was written in vain must not stay.
            drop(fs::remove_file(&beside).await);
        }
        named
    }

    /// Opens a content for reading, with its size.
    pub async fn read(&self, hash: &str) -> Result<(File, u64), StoreError> {
        let path = self.path_of(hash).ok_or(StoreError::not_found("content"))?;
        match File::open(path).await {
            Ok(file) => {
                let size = file.metadata().await?.len();
                Ok((file, size))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreError::not_found("content")),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes contents that were put before `before` and that no row names.
    pub async fn sweep(&self, names: &dyn ArtifactStore, before: Timestamp) -> Result<SweptBlobs, StoreError> {
        let before = UNIX_EPOCH + Duration::from_micros(u64::try_from(before.as_micros()).unwrap_or(0));
        let mut swept = SweptBlobs::default();
        let mut groups = fs::read_dir(&self.folder.path).await?;
        while let Some(group) = groups.next_entry().await? {
            let prefix = group.file_name().to_string_lossy().into_owned();
            if prefix.len() != 2 {
                continue;
            }
            let mut hashes = Vec::new();
            let mut files = fs::read_dir(group.path()).await?;
            while let Some(file) = files.next_entry().await? {
                hashes.push(format!("{prefix}{}", file.file_name().to_string_lossy()));
            }
            let named = names.named_hashes(&hashes).await?;
            for hash in hashes.iter().filter(|hash| !named.contains(hash)) {
                if let Some(path) = self.path_of(hash) {
                    self.remove_older(&path, before, &mut swept).await?;
                }
            }
        }
        Ok(swept)
    }

    async fn remove_older(
        &self,
        path: &Path,
        before: std::time::SystemTime,
        swept: &mut SweptBlobs,
    ) -> Result<(), StoreError> {
        let _naming = self.folder.naming.lock().await;
        let metadata = fs::metadata(path).await?;
        if metadata.modified()? < before {
            fs::remove_file(path).await?;
            swept.files += 1;
            swept.bytes += metadata.len();
        }
        Ok(())
    }

    /// Gives a finished file its name. One of the same content is replaced, which makes it young again.
    async fn name(&self, beside: &Path, blob: &Blob) -> Result<(), StoreError> {
        let path = self.path_of(&blob.hash).ok_or(StoreError::not_found("content"))?;
        let group = path.parent().unwrap_or(&self.folder.path).to_owned();
        let _naming = self.folder.naming.lock().await;
        fs::create_dir_all(&group).await?;
        fs::rename(beside, &path).await?;
        sync_folder(&group).await?;
        sync_folder(&self.folder.path).await
    }

    fn path_of(&self, hash: &str) -> Option<PathBuf> {
        is_hash(hash).then(|| blob_path(&self.folder.path, hash))
    }
}

/// Where the content with this hash lies in a folder of contents.
pub(crate) fn blob_path(folder: &Path, hash: &str) -> PathBuf {
    let (group, rest) = hash.split_at(2.min(hash.len()));
    folder.join(group).join(rest)
}

/// Whether a text is a hash, and so no way out of the folder.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn write(content: &mut (dyn AsyncRead + Send + Unpin), path: &Path, limit: u64) -> Result<Blob, StoreError> {
    let mut file = File::create(path).await?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = content.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > limit {
            return Err(StoreError::TooLarge { limit });
        }
        hasher.update(&piece[..read]);
        file.write_all(&piece[..read]).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    Ok(Blob { hash: hasher.finalize().to_hex().to_string(), size })
}

/// Makes names in a folder last. Windows has no such call and needs none.
pub(crate) async fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(path).await?.sync_all().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
