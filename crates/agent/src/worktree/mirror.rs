//! One mirror: a bare repository `mirrors/<key>/git` with what its remote has, and a note of whose it is.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_model::time::SystemClock;
use swarm_model::{Clock as _, FailureClass, Timestamp, UserId};

use super::git::{Bounds, Git, GitError};
use super::source::Source;
use super::{NoTree, Wanted, off};
use crate::durable;

const NOTE: &str = "mirror.json";
/// The settings that git made for this file system, before anybody worked in a tree.
const SETTINGS: &str = "settings";
/// Where the remote's own default is kept.
const HEAD: &str = "refs/garageswarm/head";
/// Branches that are named where a base is not there.
const MAX_NAMED: usize = 12;

/// A mirror, whether or not it is there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    folder: PathBuf,
    key: String,
}

/// Whose mirror it is, and of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MirrorNote {
    /// The address as it may be shown.
    pub(crate) address: String,
    pub(crate) user_id: UserId,
    pub(crate) used_at: Timestamp,
}

/// A base that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// As people call it.
    pub(crate) name: String,
    pub(crate) commit: String,
}

/// Every mirror in a folder.
pub(super) fn all(folder: &Path) -> io::Result<Vec<Mirror>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (true, Ok(key)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
            found.push(Mirror::new(folder, &key));
        }
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

impl Mirror {
    pub(super) fn new(folder: &Path, key: &str) -> Self {
        Self { folder: folder.join(key), key: key.to_owned() }
    }

    /// The key of a mirror: people do not share one, whatever they ask for.
    pub(super) fn key_of(user: UserId, source: &Source) -> String {
        let hash = blake3::derive_key("garageswarm mirror", format!("{user}\n{}", source.address()).as_bytes());
        blake3::Hash::from_bytes(hash).to_hex()[..24].to_owned()
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// The bare repository.
    pub(super) fn git_dir(&self) -> PathBuf {
        self.folder.join("git")
    }

    pub(crate) fn note(&self) -> Option<MirrorNote> {
        serde_json::from_slice(&fs::read(self.folder.join(NOTE)).ok()?).ok()
    }

    /// Makes it where it is missing; its settings are ours afterwards. Tells whether it is new.
    pub(super) async fn make(&self, wanted: &Wanted, nobody: &Git, bounds: &Bounds<'_>) -> Result<bool, NoTree> {
        let (settings, git_dir) = (self.folder.join(SETTINGS), self.git_dir());
        let is_new = !settings.is_file();
        if is_new {
            let mirror = self.clone();
            // Also where an earlier process was killed in the middle of this.
            off(move || mirror.remove().and_then(|()| durable::make_private_dir(&mirror.folder))).await?;
            let words = ["init", "--quiet", "--bare", "--template="].map(std::ffi::OsStr::new);
            nobody.run(&[&words[..], &[git_dir.as_os_str()]].concat(), bounds).await?;
            off(move || durable::replace(&settings, &fs::read(git_dir.join("config"))?)).await?;
        }
        let identity = identity(wanted, bounds).await?;
        let remote = format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            quoted(wanted.source.address())
        );
        let ours = format!("[gc]\n\tauto = 0\n{remote}{identity}");
        let (address, used_at) = (wanted.source.to_string(), SystemClock.now());
        let (mirror, note) = (self.clone(), MirrorNote { address, user_id: wanted.user_id, used_at });
        off(move || {
            durable::replace(&mirror.folder.join("ours"), ours.as_bytes())?;
            mirror.restore()?;
            durable::replace(&mirror.folder.join(NOTE), &serde_json::to_vec(&note)?)
        })
        .await?;
        Ok(is_new)
    }

    /// Takes back what somebody in a tree may have done to its settings and hooks.
    pub(super) fn restore(&self) -> io::Result<()> {
        let mut settings = fs::read(self.folder.join(SETTINGS))?;
        settings.extend(fs::read(self.folder.join("ours"))?);
        let config = self.git_dir().join("config");
        if fs::read(&config).ok().as_ref() != Some(&settings) {
            let draft = self.folder.join("config.draft");
            fs::write(&draft, settings)?;
            fs::rename(draft, config)?;
        }
        match fs::remove_dir_all(self.git_dir().join("hooks")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Brings it to what the remote has now.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        git: &Git,
        bounds: &Bounds<'_>,
        heard: impl FnMut(&str) + Send,
    ) -> Result<(), NoTree> {
        let head = format!("+HEAD:{HEAD}");
        let words = [
            "fetch",
            "--progress",
            "--prune",
            "--no-tags",
            "--no-recurse-submodules",
            "--force",
            "--",
            source.address(),
            &head,
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/tags/*:refs/tags/*",
        ];
        let (git, mut sink) = (git.at(&self.git_dir()), tokio::io::sink());
        let fetched = git.run_into(&words, bounds, &mut sink, u64::MAX - 1, heard).await;
        fetched.map_err(|error| match error {
            GitError::Failed { words } => unreached(source, &words),
            GitError::TimedOut { after } => {
                let error = format!("{source} did not come within {} s", after.as_secs());
                NoTree::failed(FailureClass::TimedOut, error)
            }
            other => other.into(),
        })
    }

    /// Whether a commit that is named in full is there already.
    pub(super) async fn has(&self, base: &str, git: &Git, bounds: &Bounds<'_>) -> bool {
        let is_full = base.len() >= 40 && base.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_full && self.commit(base, git, bounds).await.is_some()
    }

    /// The commit to begin from. A branch comes before a tag, and a tag before a commit of the same name.
    pub(super) async fn base(&self, named: Option<&str>, git: &Git, bounds: &Bounds<'_>) -> Result<Base, NoTree> {
        let places = match named {
            None => vec![HEAD.to_owned()],
            Some(name) => {
                let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("origin/"));
                let branch = format!("refs/remotes/origin/{}", short.unwrap_or(name));
                let tag = format!("refs/tags/{}", name.strip_prefix("refs/tags/").unwrap_or(name));
                let is_commit = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
                [branch, tag].into_iter().chain(is_commit.then(|| name.to_owned())).collect()
            }
        };
        for place in &places {
            if let Some(commit) = self.commit(place, git, bounds).await {
                let name = match named {
                    Some(name) => name.to_owned(),
                    None => self.default_name(&commit, git, bounds).await,
                };
                return Ok(Base { name, commit });
            }
        }
        let error = match named {
            None => "the repository has no commit to begin from".to_owned(),
            Some(name) => self.what_there_is(name, git, bounds).await?,
        };
        Err(NoTree::failed(FailureClass::Refused, error))
    }

    async fn commit(&self, place: &str, git: &Git, bounds: &Bounds<'_>) -> Option<String> {
        let commit = format!("{place}^{{commit}}");
        git.at(&self.git_dir()).run(&["rev-parse", "--verify", "--quiet", &commit], bounds).await.ok()
    }

    /// The branch that the remote's default is, for people.
    async fn default_name(&self, commit: &str, git: &Git, bounds: &Bounds<'_>) -> String {
        let points = format!("--points-at={commit}");
        let words = ["for-each-ref", "--format=%(refname:lstrip=3)", &points, "refs/remotes/origin"];
        let names = git.at(&self.git_dir()).run(&words, bounds).await.unwrap_or_default();
        let usual = names.lines().find(|name| matches!(*name, "main" | "master"));
        usual.or_else(|| names.lines().next()).map_or_else(|| "the default".to_owned(), str::to_owned)
    }

    async fn what_there_is(&self, base: &str, git: &Git, bounds: &Bounds<'_>) -> Result<String, NoTree> {
        let list = async |place: &str, format: &str| {
            let words = ["for-each-ref", "--sort=-creatordate", format, place];
            git.at(&self.git_dir()).run(&words, bounds).await
        };
        let branches = list("refs/remotes/origin", "--format=%(refname:lstrip=3)").await?;
        let tags = list("refs/tags", "--format=%(refname:lstrip=2)").await?;
        let told = |what: &str, names: &str| {
            let all: Vec<_> = names.lines().collect();
            let more = all.len().saturating_sub(MAX_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = all[..all.len().min(MAX_NAMED)].join(", ");
            if all.is_empty() { format!("no {what}") } else { format!("the {what} {shown}{more}") }
        };
        let (branches, tags) = (told("branches", &branches), told("tags", &tags));
        Ok(format!("the repository has no branch, tag or commit \"{base}\"; it has {branches}, and {tags}"))
    }

    /// Removes what a killed git left halfway: locks, and halves of packs. Blocks.
    pub(super) fn mend(&self) -> io::Result<()> {
        let git_dir = self.git_dir();
        let is_lock = |name: &str| name == "locked" || Path::new(name).extension().is_some_and(|kind| kind == "lock");
        let is_half = |name: &str| name.starts_with("tmp_") || name.starts_with("incoming-");
        sweep(&git_dir.join("refs"), &is_lock, true)?;
        sweep(&git_dir.join("worktrees"), &is_lock, true)?;
        sweep(&git_dir, &is_lock, false)?;
        sweep(&git_dir.join("objects"), &is_half, false)?;
        sweep(&git_dir.join("objects").join("pack"), &is_half, false)
    }

    /// Removes all of it. Blocks.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Commits need an author, also in a sandbox: the machine owner's where there is one, and nobody else's ever.
async fn identity(wanted: &Wanted, bounds: &Bounds<'_>) -> Result<String, NoTree> {
    let git = Git::of_source(&wanted.source, &wanted.mark)?;
    let mut lines = vec!["[user]\n".to_owned()];
    for (key, unknown) in [("name", "GarageSwarm"), ("email", "garageswarm@localhost")] {
        let told = git.run(&["config", "--global", "--get", &format!("user.{key}")], bounds).await.unwrap_or_default();
        let is_known = wanted.source.is_of_owner() && !told.is_empty() && !told.contains(char::is_control);
        lines.push(format!("\t{key} = {}\n", quoted(if is_known { &told } else { unknown })));
    }
    Ok(lines.concat())
}

fn sweep(folder: &Path, goes: &dyn Fn(&str) -> bool, deep: bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let (is_dir, name) = (entry.file_type()?.is_dir(), entry.file_name());
        match (is_dir, goes(&name.to_string_lossy())) {
            (true, true) => fs::remove_dir_all(entry.path())?,
            (false, true) => fs::remove_file(entry.path())?,
            (true, false) if deep => sweep(&entry.path(), goes, deep)?,
            _ => {}
        }
    }
    Ok(())
}

/// A value as git's settings have it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What git's words mean for the next try.
fn unreached(source: &Source, words: &str) -> NoTree {
    let lower = words.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let (class, what) = if has(&["find remote ref head"]) {
        let error = format!("{source} is empty: there is no commit to begin from");
        return NoTree::failed(FailureClass::Refused, error);
    } else if has(&[
        "authentication failed",
        "could not read username",
        "could not read password",
        "permission denied",
        "host key verification failed",
        "error: 401",
        "error: 403",
    ]) {
        (FailureClass::Auth, "does not let this machine in")
    } else if has(&["not found", "does not appear to be a git repository", "does not exist", "not allowed"]) {
        (FailureClass::Refused, "is no repository that this machine can see")
    } else if has(&[
        "could not resolve",
        "unable to access",
        "failed to connect",
        "connection",
        "timed out",
        "early eof",
        "hung up",
        "disconnect",
        "could not read from remote",
        "rpc failed",
    ]) {
        (FailureClass::Network, "cannot be reached")
    } else {
        (FailureClass::ProcessFailed, "cannot be fetched")
    };
    NoTree::failed(class, format!("{source} {what}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_decides_about_the_next_try() {
        let source = Source::parse("https://git.example/a", true).unwrap();
        let check = |words: &str, expected: FailureClass| match unreached(&source, words) {
            NoTree::Failed { class, error } => assert_eq!(class, expected, "{error}"),
            NoTree::Cancelled => panic!("{words}"),
        };
        check(
            "fatal: unable to access 'https://git.example/a/': Could not resolve host: git.example",
            FailureClass::Network,
        );
        check(
            "fatal: could not read Username for 'https://git.example': terminal prompts disabled",
            FailureClass::Auth,
        );
        check("fatal: unable to access 'x': The requested URL returned error: 403", FailureClass::Auth);
        check(
            "git@x: Permission denied (publickey).; fatal: Could not read from remote repository.",
            FailureClass::Auth,
        );
        check("remote: Repository not found.; fatal: repository 'x' not found", FailureClass::Refused);
        check(
            "fatal: '/x' does not appear to be a git repository; fatal: Could not read from remote",
            FailureClass::Refused,
        );
        check("fatal: couldn't find remote ref HEAD", FailureClass::Refused);
        check("fatal: the remote end hung up unexpectedly", FailureClass::Network);
        check("error: file write error (No space left on device)", FailureClass::ProcessFailed);
    }
}
