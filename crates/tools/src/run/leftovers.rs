//! The folders of a run: made before it, and what nobody needs afterwards removed on every way out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::adapter::RunDirs;

/// Makes the folders of a run.
pub(super) async fn prepare(dirs: &RunDirs) -> std::io::Result<()> {
    for folder in [&dirs.work, &dirs.tmp, &dirs.state, &dirs.control] {
        make_private(folder).await?;
    }
    Ok(())
}

/// Makes a folder into which nobody else on the machine may look, unless it is there.
pub(super) async fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

/// Removes the run's temporary and control folders; when it is dropped unfinished, too.
#[derive(Debug)]
pub(super) struct Leftovers {
    folders: Vec<PathBuf>,
}

impl Leftovers {
    pub(super) fn of(dirs: &RunDirs) -> Self {
        Self { folders: vec![dirs.tmp.clone(), dirs.control.clone()] }
    }

    pub(super) async fn remove(mut self) {
        let folders = std::mem::take(&mut self.folders);
        if let Err(error) = tokio::task::spawn_blocking(move || remove_all(&folders)).await {
            tracing::warn!(%error, "the run's folders were not removed");
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        remove_all(&self.folders);
    }
}

fn remove_all(folders: &[PathBuf]) {
    for folder in folders {
        let removed = match std::fs::remove_dir_all(folder) {
            // Some tools take the right to write from what they keep (Go's module cache).
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                make_writable(folder);
                std::fs::remove_dir_all(folder)
            }
            removed => removed,
        };
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, folder = %folder.display(), "a folder of the run was not removed"),
        }
    }
}

#[cfg(unix)]
fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // What cannot be changed is reported by the removal that follows.
    drop(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

#[cfg(not(unix))]
fn make_writable(_folder: &Path) {}
