//! The working tree of one run: how it comes from its mirror, and how it goes.
//!
//! A note in the run's folder says of which mirror and on which branch it is, before git makes anything: a process
//! that is killed in between leaves nothing that nobody would find.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use swarm_model::FailureClass;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::git::{Bounds, Git, GitError};
use super::mirror::{Base, Mirror};
use super::{CLONE_TIME, LOCAL_TIME, Mirrors, NoTree, Wanted, off};
use crate::durable;

const NOTE: &str = "worktree.json";
/// How often people hear how far a clone is.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// A run's working tree, as its folder keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkout {
    /// Of which mirror.
    mirror: String,
    pub(crate) branch: String,
    /// The base as people call it.
    pub(crate) base: String,
    /// The commit that it began from.
    pub(crate) commit: String,
    /// What git calls the tree; none until it is there with all its files.
    tree: Option<String>,
}

impl Checkout {
    /// The tree of a run's folder, once it is whole.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        Self::noted(folder).filter(|checkout| checkout.tree.is_some())
    }

    fn noted(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
    }

    async fn write(&self, folder: &Path) -> io::Result<()> {
        let (path, note) = (folder.join(NOTE), serde_json::to_vec(self)?);
        off(move || durable::replace(&path, &note)).await
    }

    /// The mirror that it is of.
    pub(crate) fn mirror(&self) -> &str {
        &self.mirror
    }

    /// Git for this tree, whatever the files in it say: those are the tool's.
    pub(super) fn git(&self, mirror: &Mirror, work: &Path, git: &Git) -> Git {
        let tree = self.tree.as_deref().unwrap_or_default();
        let git_dir = mirror.git_dir();
        git.at(&git_dir.join("worktrees").join(tree)).with("GIT_COMMON_DIR", &git_dir).with("GIT_WORK_TREE", work)
    }
}

impl Mirrors {
    /// Makes the working tree of a run in `work`, which belongs to the run's `folder`. What goes on is said.
    pub(crate) async fn check_out(
        &self,
        wanted: &Wanted,
        folder: &Path,
        work: &Path,
        within: Option<Duration>,
        cancel: &CancellationToken,
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Checkout, NoTree> {
        let asked = Instant::now();
        let ends = asked + within.map_or(CLONE_TIME, |within| within.min(CLONE_TIME));
        let mirror = self.named(&Mirror::key_of(wanted.user_id, &wanted.source));
        let lock = self.lock_of(mirror.key());
        let mut fetched = tokio::select! {
            fetched = lock.lock() => fetched,
            () = cancel.cancelled() => return Err(NoTree::Cancelled),
            () = tokio::time::sleep_until(ends) => {
                let error = format!("{} was fetched by others for too long", wanted.source);
                return Err(NoTree::failed(FailureClass::TimedOut, error));
            }
        };
        let bounds = Bounds { time: LOCAL_TIME, cancel };
        let nobody = Git::of_nobody(&wanted.mark)?;
        let is_new = mirror.make(wanted, &nobody, &bounds).await?;
        let is_there = match &wanted.base {
            Some(base) => mirror.has(base, &nobody, &bounds).await,
            None => false,
        };
        let git = Git::of_source(&wanted.source, &wanted.mark)?;
        // What began after we asked has all that we could get.
        let is_fresh = fetched.is_some_and(|began| began >= asked);
        if !is_there && !is_fresh {
            say(format!("{} {}", if is_new { "cloning" } else { "fetching" }, wanted.source));
            let began = Instant::now();
            let time = ends.saturating_duration_since(began);
            let teller = Teller::new(say);
            mirror.fetch(&wanted.source, &git, &Bounds { time, cancel }, |line| teller.hear(line)).await?;
            *fetched = Some(began);
        }
        let Base { name, commit } = mirror.base(wanted.base.as_deref(), &nobody, &bounds).await?;
        let (branch, key) = (wanted.branch.clone(), mirror.key().to_owned());
        let mut checkout = Checkout { mirror: key, branch, base: name, commit, tree: None };
        checkout.write(folder).await?;
        let words = ["worktree", "add", "--quiet", "--force", "--no-checkout", "-B", &checkout.branch].map(OsStr::new);
        let place = [work.as_os_str(), OsStr::new(&checkout.commit)];
        let nobody = nobody.at(&mirror.git_dir());
        // A branch is not made while git takes it for that of a tree that is gone.
        nobody.run(&["worktree", "prune", "--expire=now"], &bounds).await?;
        nobody.run(&[&words[..], &place].concat(), &bounds).await?;
        // The files may take long, and are nobody else's matter.
        drop(fetched);
        checkout.tree = Some(tree_of(work)?);
        checkout.git(&mirror, work, &git).run(&["reset", "--quiet", "--hard"], &bounds).await?;
        checkout.write(folder).await?;
        let commit = checkout.commit.get(..12).unwrap_or_default();
        say(format!("working on branch {} from {} ({commit})", checkout.branch, checkout.base));
        Ok(checkout)
    }
}

/// What git calls the tree that it just made.
fn tree_of(work: &Path) -> Result<String, NoTree> {
    let text = fs::read_to_string(work.join(".git"))?;
    let place = text.trim().strip_prefix("gitdir:").map(|place| Path::new(place.trim()));
    let name = place.and_then(Path::file_name).and_then(OsStr::to_str);
    name.map(str::to_owned).ok_or_else(|| GitError::Failed { words: "the working tree has no name".to_owned() }.into())
}

/// The tree of a folder that is gone leaves its mirror, and its branch with it. Blocks.
pub(crate) fn forget(mirrors: &Mirrors, checkout: &Checkout) -> Result<(), GitError> {
    let mirror = mirrors.named(&checkout.mirror);
    if !mirror.git_dir().is_dir() {
        return Ok(());
    }
    mirror.restore()?;
    let git = Git::of_nobody("")?.at(&mirror.git_dir());
    git.run_now(&["worktree", "prune", "--expire=now"])?;
    let branch = format!("refs/heads/{}", checkout.branch);
    git.run_now(&["update-ref", "-d", &branch]).map(drop)
}

/// Reads the note of a folder that is about to go.
pub(crate) fn noted(folder: &Path) -> Option<Checkout> {
    Checkout::noted(folder)
}

/// Tells people now and then how far a clone is.
struct Teller<'a> {
    say: &'a (dyn Fn(String) + Send + Sync),
    next: Mutex<Instant>,
}

impl<'a> Teller<'a> {
    fn new(say: &'a (dyn Fn(String) + Send + Sync)) -> Self {
        Self { say, next: Mutex::new(Instant::now() + TELL_EVERY) }
    }

    fn hear(&self, line: &str) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if line.contains('%') && Instant::now() >= *next {
            *next = Instant::now() + TELL_EVERY;
            (self.say)(line.to_owned());
        }
    }
}
