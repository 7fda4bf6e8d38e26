//! The guard itself, with real trees of processes. Every test ends in the same claim: nobody is left.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use swarm_tools::guard::{Ended, EndedBy, RUN_MARK, Spec, StartFailureKind, sweep_marked};

use crate::harness::{lives, probe, wait_until};

/// A tree that does everything to get away: sessions of its own, orphans, deafness to TERM.
const TREE: &str = r#"
    echo $$ >> pids
    setsid sh -c 'echo $$ >> pids; exec sleep 1000' &
    setsid sh -c 'trap : TERM; echo $$ >> pids; sh -c "echo \$\$ >> pids; exec sleep 1000" & while :; do sleep 0.1; done' &
    ( sh -c 'echo $$ >> pids; exec sleep 1000' & )
    env -i sh -c 'echo $$ >> pids; exec sleep 1000' &
    wait
"#;
const N_TREE: usize = 6;

struct Bench {
    folder: tempfile::TempDir,
    mark: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mark = format!("test-{}-", folder.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.'));
        Self { folder, mark }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spec(&self, argv: &[&str]) -> Spec {
        let path = std::env::var("PATH").unwrap();
        Spec {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: [("PATH".to_owned(), path), (RUN_MARK.to_owned(), format!("{}0", self.mark))].into(),
            cwd: self.folder.path().to_owned(),
            grace_ms: 400,
            stdin_file: None,
            status_file: self.path("status.json"),
            sandbox: None,
        }
    }

    fn start(&self, spec: &Spec) -> Held {
        start("guard", spec, self.folder.path())
    }

    fn status(&self) -> Ended {
        Ended::read(&self.path("status.json")).expect("no status was written")
    }

    fn pids(&self, n: usize) -> Vec<i32> {
        let read = || -> Vec<i32> {
            let text = std::fs::read_to_string(self.path("pids")).unwrap_or_default();
            text.lines().filter_map(|line| line.trim().parse().ok()).collect()
        };
        wait_until("the tree has grown", || read().len() >= n);
        let pids = read();
        assert!(pids.iter().all(|pid| lives(*pid)), "the tree is not whole");
        pids
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A failed test must not leave its tree behind.
        drop(sweep_marked(&self.mark));
    }
}

/// A process and our end of its input, which stays open also while we wait for it.
struct Held {
    child: Child,
    control: ChildStdin,
}

impl Held {
    fn tell(&mut self, line: &[u8]) {
        self.control.write_all(line).unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

fn start(role: &str, spec: &Spec, folder: &Path) -> Held {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut child = Command::new(probe())
        .arg(role)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = serde_json::to_vec(spec).unwrap();
    line.push(b'\n');
    let mut held = Held { control: child.stdin.take().unwrap(), child };
    held.tell(&line);
    held
}

fn assert_gone(pids: &[i32]) {
    let left: Vec<_> = pids.iter().filter(|pid| lives(**pid)).collect();
    assert!(left.is_empty(), "left behind: {left:?} of {pids:?}");
}

#[test]
fn the_code_of_the_tool_is_passed_on() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["sh", "-c", "exit 42"]));
    assert_eq!(guard.wait().code(), Some(42));
    let ended = bench.status();
    assert_eq!((ended.code, ended.signal, ended.by, ended.swept), (Some(42), None, EndedBy::Itself, 0));
}

#[test]
fn a_program_that_is_not_there_is_told_apart() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["/no/such/program"]));
    assert_eq!(guard.wait().code(), Some(127));
    assert_eq!(bench.status().start_failure.unwrap().kind, StartFailureKind::NotFound);
    std::fs::write(bench.path("data"), "").unwrap();
    let mut guard = bench.start(&bench.spec(&["./data"]));
    assert_eq!(guard.wait().code(), Some(126));
    assert_eq!(bench.status().start_failure.unwrap().kind, StartFailureKind::Denied);
}

#[test]
fn a_cancel_ends_the_whole_tree() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["sh", "-c", TREE]));
    let pids = bench.pids(N_TREE);
    let asked = Instant::now();
    guard.tell(b"cancel\n");
    guard.wait();
    assert_gone(&pids);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let ended = bench.status();
    assert_eq!((ended.by, ended.left), (EndedBy::Cancel, 0));
}

#[test]
fn a_clean_end_leaves_nobody() {
    let bench = Bench::new();
    let script = format!(
        "({TREE}) & while [ $(wc -l < pids) -lt {N_TREE} ]; do sleep 0.01; done; touch grown; read line < gate; exit 3"
    );
    assert!(Command::new("mkfifo").arg(bench.path("gate")).status().unwrap().success());
    let mut guard = bench.start(&bench.spec(&["sh", "-c", &format!("touch pids; {script}")]));
    let pids = bench.pids(N_TREE);
    wait_until("the script saw it", || bench.path("grown").exists());
    std::fs::write(bench.path("gate"), "go\n").unwrap();
    assert_eq!(guard.wait().code(), Some(3));
    assert_gone(&pids);
    let ended = bench.status();
    assert_eq!((ended.code, ended.by), (Some(3), EndedBy::Itself));
    assert!(ended.swept >= 4, "{ended:?}");
}

#[test]
fn a_killed_worker_leaves_nobody() {
    let bench = Bench::new();
    let mut worker = start("worker", &bench.spec(&["sh", "-c", TREE]), bench.folder.path());
    let pids = bench.pids(N_TREE);
    worker.kill();
    wait_until("the guard wrote how it ended", || bench.path("status.json").exists());
    assert_eq!(bench.status().by, EndedBy::WorkerLost);
    assert_gone(&pids);
}

#[test]
fn a_killed_guard_takes_the_tool_along_and_the_rest_is_swept_by_its_mark() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["sh", "-c", &TREE.replace("env -i", "env")]));
    let pids = bench.pids(N_TREE);
    guard.kill();
    wait_until("the tool's first process is gone", || !lives(pids[0]));
    assert!(sweep_marked(&bench.mark).unwrap() >= 3);
    assert_gone(&pids);
    assert!(!bench.path("status.json").exists());
    assert_eq!(sweep_marked(&bench.mark).unwrap(), 0);
}

#[test]
fn signals_to_the_guard_end_the_run() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["sh", "-c", TREE]));
    let pids = bench.pids(N_TREE);
    let pid = nix::unistd::Pid::from_raw(guard.child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    guard.wait();
    assert_gone(&pids);
    assert_eq!(bench.status().by, EndedBy::Signal);
}

#[test]
fn a_tree_that_grows_while_it_is_killed_is_ended() {
    let bench = Bench::new();
    let script = "echo $$ >> pids; trap '' TERM; while :; do setsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1000' & sleep 0.02; done";
    let mut guard = bench.start(&bench.spec(&["sh", "-c", script]));
    let pids = bench.pids(1);
    guard.tell(b"cancel\n");
    guard.wait();
    assert_gone(&pids);
    assert_eq!(bench.status().left, 0);
    assert_eq!(sweep_marked(&bench.mark).unwrap(), 0, "somebody was left");
}

#[test]
fn half_a_specification_starts_nothing() {
    let mut guard = Command::new(probe()).arg("guard").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    guard.stdin.take().unwrap().write_all(b"{\"argv\":[\"true\"]").unwrap();
    assert_eq!(guard.wait().unwrap().code(), Some(2));
}

#[test]
fn the_guard_is_light() {
    let bench = Bench::new();
    let mut guard = bench.start(&bench.spec(&["sh", "-c", "echo $$ >> pids; exec sleep 1000"]));
    bench.pids(1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", guard.child.id())).unwrap();
    let resident: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.split_whitespace().next())
        .and_then(|value| value.parse().ok())
        .unwrap();
    guard.tell(b"cancel\n");
    guard.wait();
    assert!(resident < 8 * 1024, "{resident} KiB");
}
