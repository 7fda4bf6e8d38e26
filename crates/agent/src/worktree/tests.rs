//! With the real git, and repositories made by it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;

/// A repository with two commits on `main`, another branch and a tag; and a worker's folders.
struct World {
    folder: tempfile::TempDir,
    mirrors: Arc<Mirrors>,
}

/// One run of it.
struct Run {
    folder: PathBuf,
    checkout: Checkout,
    said: Vec<String>,
}

fn git(dir: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "user.name=A", "-c", "user.email=a@b"]).args(words);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(dir: &Path, name: &str, content: &str) -> String {
    std::fs::write(dir.join(name), content).unwrap();
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message", &format!("write {name}")]);
    git(dir, &["rev-parse", "HEAD"])
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = folder.path().join("origin");
        std::fs::create_dir(&origin).unwrap();
        git(&origin, &["init", "--quiet", "--initial-branch=main"]);
        commit(&origin, "a.txt", "one\n");
        git(&origin, &["tag", "v1"]);
        git(&origin, &["branch", "old"]);
        commit(&origin, "b.txt", "two\n");
        let mirrors = Arc::new(Mirrors::new(&folder.path().join("data")));
        Self { folder, mirrors }
    }

    fn origin(&self) -> PathBuf {
        self.folder.path().join("origin")
    }

    fn wanted(&self, number: u32, base: Option<&str>) -> Wanted {
        let assignment: Assignment = serde_json::from_value(json!({
            "task_id": format!("018f2d3a-0000-7000-8000-{number:012x}"),
            "number": number,
            "attempt": 1,
            "user_id": "018f2d3a-0000-7000-8000-000000000001",
            "by_owner": true,
            "tool": "command",
            "description": "",
            "input": { "kind": "prompt" },
            "repository": { "url": format!("file://{}", self.origin().display()), "base": base },
        }))
        .unwrap();
        Wanted::of(&assignment).unwrap().unwrap()
    }

    fn run_folder(&self, number: u32) -> PathBuf {
        let folder = self.folder.path().join("runs").join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    async fn check_out(&self, number: u32, base: Option<&str>) -> Result<Run, NoTree> {
        let (folder, cancel) = (self.run_folder(number), CancellationToken::new());
        let said = Mutex::new(Vec::new());
        let say = |text| said.lock().unwrap().push(text);
        let wanted = self.wanted(number, base);
        let made = self.mirrors.check_out(&wanted, &folder, &folder.join("work"), None, &cancel, &say).await;
        made.map(|checkout| Run { folder: folder.clone(), checkout, said: said.into_inner().unwrap() })
    }

    async fn harvest(&self, run: &Run) -> Harvest {
        let told = run.folder.join("told");
        run.checkout.harvest(&self.mirrors, &run.folder.join("work"), &told, 1024 * 1024, "m").await.unwrap()
    }

    fn mirror(&self) -> Mirror {
        let [mirror] = <[Mirror; 1]>::try_from(self.mirrors.all().unwrap()).unwrap();
        mirror
    }
}

impl Run {
    fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    fn told(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join("told").join(name)).unwrap()
    }

    fn remove(&self, world: &World) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        forget(&world.mirrors, &self.checkout).unwrap();
    }
}

#[tokio::test]
async fn a_run_gets_a_tree_on_a_branch_of_its_own_and_gives_it_back() {
    let world = World::new();
    let run = world.check_out(7, None).await.unwrap();
    assert_eq!(std::fs::read_to_string(run.work().join("b.txt")).unwrap(), "two\n");
    assert_eq!(git(&run.work(), &["branch", "--show-current"]), "garageswarm/7-1");
    assert_eq!(git(&run.work(), &["status", "--porcelain"]), "");
    let origin = format!("file://{}", world.origin().display());
    let short = &run.checkout.commit[..12];
    let expected = [format!("cloning {origin}"), format!("working on branch garageswarm/7-1 from main ({short})")];
    assert_eq!(run.said, expected);
    assert_eq!(Checkout::read(&run.folder), Some(run.checkout.clone()));

    // A second one, from another base, sees nothing of the first.
    std::fs::write(run.work().join("mine"), "").unwrap();
    let other = world.check_out(8, Some("v1")).await.unwrap();
    assert!(!other.work().join("mine").exists() && !other.work().join("b.txt").exists());
    assert!(other.said[0].starts_with("fetching"), "{:?}", other.said);
    run.remove(&world);
    let branches = git(&other.work(), &["branch", "--format=%(refname:short)"]);
    assert_eq!(branches, "garageswarm/8-1", "the branch went with its tree");
}

#[tokio::test]
async fn branches_tags_and_commits_are_bases_and_what_is_none_is_told() {
    let world = World::new();
    let first = git(&world.origin(), &["rev-parse", "v1"]);
    let head = git(&world.origin(), &["rev-parse", "HEAD"]);
    let bases =
        [("main", &head), ("origin/main", &head), ("refs/heads/old", &first), ("v1", &first), ("refs/tags/v1", &first)];
    for (number, (base, expected)) in bases.into_iter().enumerate() {
        let run = world.check_out(number as u32, Some(base)).await.unwrap();
        assert_eq!(run.checkout.commit, *expected, "{base}");
    }
    // A commit that is there needs nobody.
    let known = world.check_out(20, Some(&first)).await.unwrap();
    assert_eq!((known.said.len(), known.checkout.commit.as_str()), (1, first.as_str()));
    assert_eq!(world.check_out(21, Some(&first[..9])).await.unwrap().checkout.commit, first);
    for base in ["nowhere", "main~9", "deadbeef"] {
        let Err(NoTree::Failed { class, error }) = world.check_out(22, Some(base)).await else { panic!("{base}") };
        assert_eq!(class, FailureClass::Refused);
        let there = "it has the branches main, old, and the tags v1";
        assert!(error.contains(base) && error.contains(there), "{error}");
    }
    // What is new there comes with the next run.
    let new = commit(&world.origin(), "c.txt", "three\n");
    assert_eq!(world.check_out(23, None).await.unwrap().checkout.commit, new);
}

#[tokio::test]
async fn what_a_run_did_comes_back_as_a_difference_and_as_commits() {
    let world = World::new();
    let run = world.check_out(1, None).await.unwrap();
    let work = run.work();
    assert_eq!(world.harvest(&run).await, Harvest { branch: Some("garageswarm/1-1".to_owned()), ..Harvest::default() });
    commit(&work, "c d.txt", "three\n");
    std::fs::write(work.join("a.txt"), "changed\n").unwrap();
    std::fs::remove_file(work.join("b.txt")).unwrap();
    std::fs::write(work.join("bytes"), [0, 159, 1, 0]).unwrap();
    std::fs::write(work.join(".gitignore"), "*.log\n").unwrap();
    std::fs::write(work.join("x.log"), "").unwrap();

    let before = git(&work, &["status", "--porcelain"]);
    let harvest = world.harvest(&run).await;
    assert_eq!(harvest.changed, [".gitignore", "a.txt", "bytes", "c d.txt"]);
    assert_eq!((harvest.n_removed, harvest.n_commits, harvest.commits[0].1.as_str()), (1, 1, "write c d.txt"));
    assert_eq!(harvest.told, ["changes.diff", "commits.mbox"]);
    assert!(harvest.sentence().starts_with("5 files changed, 1 commit on branch garageswarm/1-1\n"), "{harvest:?}");
    assert_eq!(git(&work, &["status", "--porcelain"]), before, "looking changes nothing");
    assert!(!run.folder.join("told/scratch").exists());

    // Both can be applied elsewhere.
    let diff = run.folder.join("told/changes.diff");
    git(&world.origin(), &["apply", "--index", diff.to_str().unwrap()]);
    assert_eq!(std::fs::read(world.origin().join("bytes")).unwrap(), [0, 159, 1, 0]);
    git(&world.origin(), &["reset", "--quiet", "--hard"]);
    git(&world.origin(), &["am", "--quiet", run.folder.join("told/commits.mbox").to_str().unwrap()]);
    assert_eq!(git(&world.origin(), &["log", "-1", "--format=%s"]), "write c d.txt");
    assert!(run.told("commits.mbox").contains("three"));
}

#[tokio::test]
async fn what_is_too_large_is_left_out_whole() {
    let world = World::new();
    let run = world.check_out(1, None).await.unwrap();
    std::fs::write(run.work().join("large"), "a line of text\n".repeat(100_000)).unwrap();
    let harvest = world.harvest(&run).await;
    assert_eq!((harvest.changed.len(), harvest.told.len()), (1, 0));
    assert_eq!(harvest.remarks, ["changes.diff is not kept: larger than 1 MiB"]);
    assert!(!run.folder.join("told/changes.diff").exists());
}

/// Whoever works in a tree can write the settings of its mirror; what those name is never run by us.
#[tokio::test]
async fn nothing_that_a_run_plants_is_run_by_the_worker() {
    let world = World::new();
    let run = world.check_out(1, None).await.unwrap();
    let trap = world.folder.path().join("trap");
    let script = world.folder.path().join("evil.sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch {}\n", trap.display())).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let evil = script.to_str().unwrap();
    for key in ["core.fsmonitor", "core.sshCommand", "diff.external", "filter.x.clean", "filter.x.smudge"] {
        git(&run.work(), &["config", key, evil]);
    }
    git(&run.work(), &["config", "uploadpack.packObjectsHook", evil]);
    let hooks = world.mirror().git_dir().join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        std::fs::copy(&script, hooks.join(hook)).unwrap();
    }
    std::fs::write(run.work().join(".gitattributes"), "* filter=x diff=x\n").unwrap();
    std::fs::write(run.work().join("a.txt"), "changed\n").unwrap();
    // A repository of its own, for one that looks at it.
    std::fs::remove_file(run.work().join(".git")).unwrap();
    git(&run.work(), &["init", "--quiet"]);
    git(&run.work(), &["config", "core.fsmonitor", evil]);
    std::fs::remove_file(&trap).ok();

    let harvest = world.harvest(&run).await;
    assert_eq!(harvest.changed, [".gitattributes", "a.txt"]);
    commit(&world.origin(), "c.txt", "three\n");
    let next = world.check_out(2, None).await.unwrap();
    world.harvest(&next).await;
    run.remove(&world);
    assert!(!trap.exists(), "something of the run was run by the worker");
}

#[tokio::test]
async fn ten_at_once_fetch_in_turn_and_each_has_its_tree() {
    let world = Arc::new(World::new());
    let runs = (1..=10).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.check_out(number, None).await.unwrap() })
    });
    let runs = futures_util::future::join_all(runs).await;
    let mut n_fetched = 0;
    for run in runs.into_iter().map(Result::unwrap) {
        n_fetched += usize::from(run.said.len() == 2);
        assert_eq!(git(&run.work(), &["branch", "--show-current"]), run.checkout.branch);
        assert!(run.work().join("b.txt").exists());
    }
    // The first one, and one for all who asked while that went on.
    assert!((1..=2).contains(&n_fetched), "{n_fetched} fetched");
}

/// A git that waits in the middle of a clone: the file tells that it does.
#[cfg(target_os = "linux")]
fn slow_origin(world: &World) -> (Wanted, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let begun = world.folder.path().join("begun");
    let slow = world.folder.path().join("slow");
    std::fs::write(&slow, format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\nexec sleep 1000\n", begun.display()))
        .unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Its own settings are its owner's, and say what packs it.
    let wanted = Wanted { source: Source::parse("slow@localhost:x", true).unwrap(), ..world.wanted(1, None) };
    (wanted, slow)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_clone_ends_with_its_task_and_leaves_nothing_that_is_in_the_way() {
    let world = World::new();
    let (wanted, slow) = slow_origin(&world);
    let begun = world.folder.path().join("begun");
    let mirror = world.mirrors.named(&Mirror::key_of(wanted.user_id, &wanted.source));
    let cancel = CancellationToken::new();
    let nobody = git::Git::of_nobody("m").unwrap();
    let bounds = git::Bounds { time: LOCAL_TIME, cancel: &cancel };
    mirror.make(&wanted, &nobody, &bounds).await.unwrap();
    let git = git::Git::of_source(&wanted.source, "m").unwrap().with("GIT_SSH_COMMAND", &slow);
    let fetch = mirror.fetch(&wanted.source, &git, &bounds, |_| ());
    let stop = async {
        while !begun.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let asked = std::time::Instant::now();
    let (fetched, ()) = tokio::join!(fetch, stop);
    assert_eq!(fetched, Err(NoTree::Cancelled));
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let pid = std::fs::read_to_string(&begun).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    let lives = || stat().is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']));
    let gone = async {
        while lives() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("what git started is left");

    // The same with a limit on its time.
    let (free, time) = (CancellationToken::new(), Duration::from_millis(200));
    let limited = git::Bounds { time, cancel: &free };
    let Err(NoTree::Failed { class, .. }) = mirror.fetch(&wanted.source, &git, &limited, |_| ()).await else {
        panic!("it ended by itself")
    };
    assert_eq!(class, FailureClass::TimedOut);
}

#[tokio::test]
async fn whatever_a_killed_process_left_the_next_run_goes_its_way() {
    let world = World::new();
    let run = world.check_out(1, None).await.unwrap();
    let git_dir = world.mirror().git_dir();
    for lock in ["packed-refs.lock", "config.lock", "shallow.lock", "refs/remotes/origin/main.lock"] {
        std::fs::write(git_dir.join(lock), "").unwrap();
    }
    std::fs::write(git_dir.join("objects/pack/tmp_pack_x"), "half").unwrap();
    // Killed while it made a tree: git keeps such a one from being removed.
    let half = git_dir.join("worktrees/half");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("locked"), "initializing").unwrap();
    std::fs::write(half.join("gitdir"), "/nowhere/.git\n").unwrap();
    world.mirrors.mend().unwrap();
    assert!(!git_dir.join("objects/pack/tmp_pack_x").exists());
    commit(&world.origin(), "c.txt", "three\n");
    world.check_out(2, None).await.unwrap();
    // The same attempt once more, whose folder is gone.
    std::fs::remove_dir_all(&run.folder).unwrap();
    let again = world.check_out(1, None).await.unwrap();
    again.remove(&world);
    assert!(!half.exists(), "it is pruned");

    // Killed while the mirror itself was made.
    std::fs::remove_file(world.mirror().path().join("settings")).unwrap();
    assert!(world.check_out(3, None).await.unwrap().said[0].starts_with("cloning"));
}

#[tokio::test]
async fn an_empty_repository_has_nothing_to_begin_from() {
    let world = World::new();
    let empty = world.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    git(&empty, &["init", "--quiet"]);
    let source = Source::parse(empty.to_str().unwrap(), true).unwrap();
    let wanted = Wanted { source, ..world.wanted(1, None) };
    let (folder, cancel) = (world.run_folder(1), CancellationToken::new());
    let made = world.mirrors.check_out(&wanted, &folder, &folder.join("work"), None, &cancel, &|_| ()).await;
    let Err(NoTree::Failed { class, error }) = made else { panic!("{made:?}") };
    assert_eq!(class, FailureClass::Refused);
    assert!(error.ends_with("is empty: there is no commit to begin from"), "{error}");
    let source = Source::parse(world.folder.path().to_str().unwrap(), true).unwrap();
    let wanted = Wanted { source, ..wanted };
    let made = world.mirrors.check_out(&wanted, &folder, &folder.join("work"), None, &cancel, &|_| ()).await;
    assert!(matches!(made, Err(NoTree::Failed { class: FailureClass::Refused, .. })), "{made:?}");
}
