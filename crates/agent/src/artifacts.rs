//! The files that a run leaves behind in its working folder.
//!
//! Only regular files count. Links are never followed, so that nothing outside of the folder can be given
//! away; what other tools keep for themselves (`.git`, `node_modules`, `target`) is left out, and so is what
//! goes beyond the owner's bounds, with a remark in the log of the run. Of a repository only what the run changed
//! counts, and what git tells of it comes first.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use swarm_model::task::{Artifact, Outcome, TaskResult};

use crate::journal::RunFolder;
use crate::settings::ArtifactLimits;
use crate::worktree::Harvest;

const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];
/// Folders that are looked into, at most: a run must not keep the agent busy with what it left.
const MAX_FOLDERS: usize = 10_000;
/// Remarks about files that were left out, at most.
const MAX_REMARKS: usize = 5;

/// What a run left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) artifacts: Vec<Artifact>,
    /// How many files there are, those that are left out among them.
    pub(crate) n_files: usize,
    /// One sentence each for what was left out.
    pub(crate) remarks: Vec<String>,
}

/// Looks for the files of a run, in the order of their names. Blocks.
pub(crate) fn collect(work: &Path, limits: ArtifactLimits) -> io::Result<Found> {
    keep(files(work)?, limits)
}

/// What a run did to the working tree of a repository. Blocks.
pub(crate) fn collect_changes(folder: &RunFolder, harvest: &Harvest, limits: ArtifactLimits) -> io::Result<Found> {
    let told = harvest.told.iter().map(|name| ((*name).to_owned(), folder.told().join(name)));
    let is_kept = |name: &&String| {
        let is_skipped = name.split('/').any(|part| SKIPPED.contains(&part));
        !is_skipped && !harvest.told.contains(&name.as_str())
    };
    let changed = harvest.changed.iter().filter(is_kept).map(|name| (name.clone(), folder.work().join(name)));
    // Links and what git shows as a folder are in the difference.
    let changed = changed.filter(|(_, path)| fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file()));
    let mut found = keep(told.chain(changed).collect(), limits)?;
    found.n_files = harvest.changed.len() + harvest.n_removed;
    Ok(found)
}

fn keep(files: Vec<(String, PathBuf)>, limits: ArtifactLimits) -> io::Result<Found> {
    let (mut found, mut left_out, mut total) = (Found::default(), Vec::new(), 0);
    for (name, path) in files {
        found.n_files += 1;
        let size = fs::symlink_metadata(&path)?.len();
        let why = if found.artifacts.len() >= limits.max_files {
            Some(format!("more than {} files", limits.max_files))
        } else if size > limits.max_file_mb * 1024 * 1024 {
            Some(format!("larger than {} MiB", limits.max_file_mb))
        } else if total + size > limits.max_total_mb * 1024 * 1024 {
            Some(format!("more than {} MiB in all", limits.max_total_mb))
        } else {
            None
        };
        if let Some(why) = why {
            left_out.push(format!("{name} is not kept: {why}"));
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        // The size is taken from what was read: nobody writes any more, but a mistake here would not be found.
        let size = io::copy(&mut open(&path)?, &mut hasher)?;
        total += size;
        found.artifacts.push(Artifact { name, size, hash: hasher.finalize().to_hex().to_string() });
    }
    let n_more = left_out.len().saturating_sub(MAX_REMARKS);
    found.remarks = left_out.into_iter().take(MAX_REMARKS).collect();
    if n_more > 0 {
        found.remarks.push(format!("{n_more} more files are not kept"));
    }
    Ok(found)
}

/// Puts the files into the outcome, also into what there is of a run that failed.
pub(crate) fn attach(outcome: &mut Outcome, artifacts: Vec<Artifact>) {
    if let Some(result) = result_of(outcome, !artifacts.is_empty()) {
        result.artifacts = artifacts;
    }
}

/// The files of an outcome.
pub(crate) fn attached(outcome: &Outcome) -> &[Artifact] {
    let result = match outcome {
        Outcome::Completed { result } => Some(result),
        Outcome::Failed { partial, .. } | Outcome::Cancelled { partial } => partial.as_ref(),
    };
    result.map_or(&[], |result| result.artifacts.as_slice())
}

fn result_of(outcome: &mut Outcome, make: bool) -> Option<&mut TaskResult> {
    match outcome {
        Outcome::Completed { result } => Some(result),
        Outcome::Failed { partial, .. } | Outcome::Cancelled { partial } => {
            if make {
                partial.get_or_insert_default();
            }
            partial.as_mut()
        }
    }
}

/// The content of one artifact; refuses what is no longer a regular file of this run. Blocks.
pub(crate) fn read(folder: &RunFolder, artifact: &Artifact) -> io::Result<Vec<u8>> {
    let told = folder.told().join(&artifact.name);
    let path = if told.is_file() { told } else { folder.work().join(&artifact.name) };
    let mut content = Vec::new();
    io::copy(&mut open(&path)?, &mut content)?;
    Ok(content)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    let file = options.open(path)?;
    // Nobody writes to the folder any more; were it otherwise, a link put there now would be followed.
    if fs::symlink_metadata(path)?.is_file() && file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Every regular file below a folder by its name with `/`, sorted.
fn files(work: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), work.to_owned())];
    let mut n_folders = 0;
    while let Some((prefix, folder)) = open.pop() {
        n_folders += 1;
        if n_folders > MAX_FOLDERS {
            break;
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // The run never began, or made a folder that may not be read.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            // A name that is no text cannot be told to anybody.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let full = format!("{prefix}{name}");
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                open.push((format!("{full}/"), entry.path()));
            } else if kind.is_file() {
                found.push((full, entry.path()));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use swarm_model::FailureClass;

    use super::*;

    const LIMITS: ArtifactLimits = ArtifactLimits { max_files: 3, max_file_mb: 1, max_total_mb: 2 };

    fn names(found: &Found) -> Vec<&str> {
        found.artifacts.iter().map(|artifact| artifact.name.as_str()).collect()
    }

    #[test]
    fn regular_files_are_found_with_their_hash() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(runs.path());
        fs::create_dir(folder.work()).unwrap();
        let work = folder.work();
        for folder in ["out/deep", ".git", "node_modules/x", "target"] {
            fs::create_dir_all(work.join(folder)).unwrap();
        }
        for (file, text) in [("a.txt", "hello"), ("out/deep/b", ""), (".git/HEAD", "x"), ("node_modules/x/y", "x")] {
            fs::write(work.join(file), text).unwrap();
        }
        let found = collect(&work, LIMITS).unwrap();
        assert_eq!(names(&found), ["a.txt", "out/deep/b"]);
        assert_eq!(found.artifacts[0].size, 5);
        assert_eq!(found.artifacts[0].hash, blake3::hash(b"hello").to_hex().to_string());
        assert_eq!(read(&folder, &found.artifacts[0]).unwrap(), b"hello");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder() {
        let (runs, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = RunFolder::at(runs.path());
        let work = folder.work();
        fs::create_dir(&work).unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(outside.path(), work.join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), work.join("file")).unwrap();
        assert_eq!(collect(&work, LIMITS).unwrap(), Found::default());
        let named = Artifact { name: "file".to_owned(), size: 1, hash: String::new() };
        assert!(read(&folder, &named).is_err());
    }

    #[test]
    fn what_goes_beyond_the_bounds_is_left_out_and_said() {
        let work = tempfile::tempdir().unwrap();
        fs::write(work.path().join("big"), vec![0; 1024 * 1024 + 1]).unwrap();
        for n in 0..9 {
            fs::write(work.path().join(format!("f{n}")), "x").unwrap();
        }
        let found = collect(work.path(), LIMITS).unwrap();
        assert_eq!(names(&found), ["f0", "f1", "f2"]);
        assert_eq!(found.remarks.len(), MAX_REMARKS + 1);
        assert_eq!(found.remarks[0], "big is not kept: larger than 1 MiB");
        assert_eq!(found.remarks[MAX_REMARKS], "2 more files are not kept");
    }

    #[test]
    fn a_failed_run_keeps_its_files_too() {
        let artifact = Artifact { name: "a".to_owned(), size: 1, hash: "h".to_owned() };
        let mut failed = Outcome::Failed {
            class: FailureClass::ProcessFailed,
            error: "exit code 1".to_owned(),
            resets_at: None,
            partial: None,
        };
        attach(&mut failed, Vec::new());
        assert!(matches!(failed, Outcome::Failed { partial: None, .. }));
        attach(&mut failed, vec![artifact.clone()]);
        assert_eq!(attached(&failed), [artifact]);
    }
}
