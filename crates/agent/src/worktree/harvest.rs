//! What a run did to its working tree: the difference to its base, its commits, the files that changed.
//!
//! Nothing that the tool could write is believed: which repository it is, is said from outside, its settings are ours,
//! and what is not committed goes into an index and objects of their own, which nobody sees again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::checkout::Checkout;
use super::git::{Bounds, Git, GitError};
use super::mirror::Mirror;
use super::{LOCAL_TIME, Mirrors, off};
use crate::durable;

/// The difference to the base, committed or not.
pub(crate) const DIFF: &str = "changes.diff";
/// The commits, as `git am` takes them.
pub(crate) const COMMITS: &str = "commits.mbox";
/// Commits that are named, at most.
const MAX_COMMITS: usize = 20;

/// What a run did to its working tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Harvest {
    /// Files that are there and were made or changed, by their names with `/`.
    pub(crate) changed: Vec<String>,
    /// Files that are not there any more.
    pub(crate) n_removed: usize,
    /// On which branch it ended; none on none.
    pub(crate) branch: Option<String>,
    /// How many commits there are since the base.
    pub(crate) n_commits: usize,
    /// The last of them, with their short names and titles.
    pub(crate) commits: Vec<(String, String)>,
    /// Which of [`DIFF`] and [`COMMITS`] there are.
    pub(crate) told: Vec<&'static str>,
    /// A sentence each for what could not be kept.
    pub(crate) remarks: Vec<String>,
}

impl Harvest {
    /// In a sentence.
    pub(crate) fn sentence(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let files = count(self.changed.len() + self.n_removed, "file");
        let commits = count(self.n_commits, "commit");
        let branch = self.branch.as_deref().map(|branch| format!(" on branch {branch}")).unwrap_or_default();
        let titles: Vec<_> = self.commits.iter().map(|(id, title)| format!("\n{id} {title}")).collect();
        format!("{files} changed, {commits}{branch}{}", titles.concat())
    }
}

impl Checkout {
    /// Looks at what the run did. `told` is a folder for what is told of it; a file there has at most `max` bytes.
    pub(crate) async fn harvest(
        &self,
        mirrors: &Mirrors,
        work: &Path,
        told: &Path,
        max: u64,
        mark: &str,
    ) -> Result<Harvest, GitError> {
        let mirror = mirrors.named(self.mirror());
        let nobody = CancellationToken::new();
        let bounds = Bounds { time: LOCAL_TIME, cancel: &nobody };
        let git = self.git(&mirror, work, &Git::of_nobody(mark)?);
        {
            let mirror = mirror.clone();
            off(move || mirror.restore()).await?;
        }
        let index = git.run(&["rev-parse", "--git-path", "index"], &bounds).await?;
        let folder = told.join("scratch");
        let scratch = off(move || Scratch::make(folder, &index)).await?;
        let harvest = self.look(&mirror, &git, &scratch, told, max, &bounds).await;
        // Objects of everything that is not committed may be many.
        off(move || scratch.remove()).await?;
        harvest
    }

    async fn look(
        &self,
        mirror: &Mirror,
        git: &Git,
        scratch: &Scratch,
        told: &Path,
        max: u64,
        bounds: &Bounds<'_>,
    ) -> Result<Harvest, GitError> {
        let mut harvest = Harvest::default();

        let objects = mirror.git_dir().join("objects");
        let aside = git
            .with("GIT_INDEX_FILE", scratch.index())
            .with("GIT_OBJECT_DIRECTORY", scratch.objects())
            .with("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects);
        if let Err(error) = aside.run(&["add", "--all", "--ignore-errors"], bounds).await {
            harvest.remarks.push(format!("some files of the working folder cannot be read: {error}"));
        }
        let from = |rest: &[&'static str]| -> Vec<String> {
            let words = ["diff-index", "--cached", "--no-ext-diff", "--no-textconv", "--no-renames"];
            let commit = [self.commit.clone(), "--".to_owned()];
            words.iter().chain(rest).map(|word| (*word).to_owned()).chain(commit).collect()
        };
        let names = aside.run(&from(&["--name-status", "-z"]), bounds).await?;
        let mut words = names.split('\0').filter(|word| !word.is_empty());
        while let (Some(status), Some(name)) = (words.next(), words.next()) {
            if status == "D" { harvest.n_removed += 1 } else { harvest.changed.push(name.to_owned()) }
        }
        if !harvest.changed.is_empty() || harvest.n_removed > 0 {
            let words = from(&["--patch", "--binary", "--full-index"]);
            keep(&aside, &words, told, DIFF, max, bounds, &mut harvest).await?;
        }

        let head = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let Ok(head) = git.run(&head, bounds).await else { return Ok(harvest) };
        harvest.branch = git.run(&["symbolic-ref", "--quiet", "--short", "HEAD"], bounds).await.ok();
        let since = format!("{}..{head}", self.commit);
        harvest.n_commits = git.run(&["rev-list", "--count", &since], bounds).await?.parse().unwrap_or(0);
        if harvest.n_commits > 0 {
            let most = format!("--max-count={MAX_COMMITS}");
            let list = git.run(&["log", &most, "--format=%h%x09%s", &since], bounds).await?;
            let commits = list.lines().filter_map(|line| line.split_once('\t'));
            harvest.commits = commits.map(|(id, title)| (id.to_owned(), title.to_owned())).collect();
            let words = ["format-patch", "--stdout", "--binary", "--full-index", "--no-signature", &since];
            keep(git, &words.map(str::to_owned), told, COMMITS, max, bounds, &mut harvest).await?;
        }
        Ok(harvest)
    }
}

/// Keeps what git answers as a file, whole or not at all.
async fn keep(
    git: &Git,
    words: &[String],
    told: &Path,
    name: &'static str,
    max: u64,
    bounds: &Bounds<'_>,
    harvest: &mut Harvest,
) -> Result<(), GitError> {
    let path = told.join(name);
    let mut file = tokio::fs::File::create(&path).await?;
    match git.run_into(words, bounds, &mut file, max, |_| ()).await {
        Ok(()) => harvest.told.push(name),
        Err(error) => {
            tokio::fs::remove_file(&path).await?;
            let why = match error {
                GitError::TooMuch { .. } => format!("larger than {} MiB", max / (1024 * 1024)),
                other => other.to_string(),
            };
            harvest.remarks.push(format!("{name} is not kept: {why}"));
        }
    }
    Ok(())
}

/// An index and objects for what is not committed. What stays of them goes with the folder of the run.
struct Scratch(PathBuf);

impl Scratch {
    fn make(folder: PathBuf, index: &str) -> io::Result<Self> {
        let scratch = Self(folder);
        durable::make_private_dir(&scratch.objects())?;
        // With the times of the files in it, so that what did not change need not be read.
        match fs::copy(index, scratch.index()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(scratch),
        }
    }

    fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.0)
    }
}
