//! A coordinator and a worker as processes, and a person who submits to them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use swarm_client::{Client, Coordinator};
use swarm_model::TaskId;
use swarm_model::task::TaskInput;
use swarm_proto::tasks::{CreateTask, ListTasks};

use crate::verify;

/// Lines that every task prints.
pub(crate) const LINES: usize = 6;
/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Coordinator,
    Worker,
}

pub(crate) struct Swarm {
    folder: tempfile::TempDir,
    port: u16,
    running: BTreeMap<Role, Child>,
    client: Client,
    key_file: PathBuf,
    /// Acknowledged tasks by their idempotency key.
    acknowledged: BTreeMap<String, TaskId>,
    /// Stands in the command line of every process that a task starts.
    tag: String,
    submitted: usize,
}

impl Drop for Swarm {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Swarm {
    /// A first start: the command line is signed in, the worker enrolled.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let key_file = folder.path().join("worker.key");
        let coordinator = spawn_coordinator(folder.path(), port, None);
        let key = |kind: &str| {
            let args = ["key", "create", "--kind", kind, "--name", "crash test", "--uses", "0", "--json"];
            let args: &[&str] = if kind == "worker" {
                &args
            } else {
                &["key", "create", "--kind", "api", "--name", "crash test", "--json"]
            };
            let output = base(folder.path(), "person").args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let created: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            created["secret"].as_str().unwrap().to_owned()
        };
        std::fs::write(&key_file, key("worker")).unwrap();
        let address = format!("http://127.0.0.1:{port}").parse().unwrap();
        let client = Coordinator::at(address).unwrap().signed_in(key("api"));
        let tag = format!("crash-{}", folder.path().file_name().unwrap().to_string_lossy().trim_start_matches('.'));
        let running = BTreeMap::from([(Role::Coordinator, coordinator)]);
        let mut swarm =
            Self { folder, port, running, client, key_file, acknowledged: BTreeMap::new(), tag, submitted: 0 };
        swarm.restart(Role::Worker);
        swarm
    }

    pub(crate) fn kill(&mut self, role: Role) {
        if let Some(mut child) = self.running.remove(&role) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn restart(&mut self, role: Role) {
        self.respawn(role, None);
    }

    /// Starts it anew so that it ends itself at the `nth` pass of `point`.
    pub(crate) fn restart_to_crash(&mut self, role: Role, point: &str, nth: u64) {
        self.respawn(role, Some(format!("{point}@{nth}")));
    }

    fn respawn(&mut self, role: Role, crash: Option<String>) {
        self.kill(role);
        let child = match role {
            Role::Coordinator => spawn_coordinator(self.folder.path(), self.port, crash.as_deref()),
            Role::Worker => self.spawn_worker(crash.as_deref()),
        };
        self.running.insert(role, child);
    }

    fn spawn_worker(&self, crash: Option<&str>) -> Child {
        let mut command = base(self.folder.path(), "machine");
        command.args(["worker", "run", "--name", "victim", "--slots", "3", "--allow-tool", "command"]);
        command.args(["--coordinator", &format!("http://127.0.0.1:{}", self.port), "--key-file"]).arg(&self.key_file);
        if let Some(crash) = crash {
            command.env("GARAGESWARM_CRASH", crash);
        }
        command.stdout(Stdio::null()).stderr(log_of(self.folder.path(), "worker"));
        command.spawn().unwrap()
    }

    /// Whether the process said that it ended itself there. A point that is never hit proves nothing.
    pub(crate) fn expect_hit(&self, role: Role, point: &str) {
        let name = if role == Role::Coordinator { "coordinator" } else { "worker" };
        let log = std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap();
        let hits = log.lines().filter(|line| line.contains(&format!("crash point {point}"))).count();
        println!("{point}: {hits} hit(s)");
        assert_eq!(hits, 1, "{point}");
    }

    /// Submits `n` tasks; those that are acknowledged must end, those that are not may.
    pub(crate) async fn submit(&mut self, n: usize) {
        for _ in 0..n {
            self.submitted += 1;
            let key = format!("{}-{}", self.tag, self.submitted);
            let task = CreateTask {
                tool: Some("command".parse().unwrap()),
                input: Some(TaskInput::Command { argv: self.argv(&key), stdin: None, env: BTreeMap::new() }),
                idempotency_key: Some(key.clone()),
                ..CreateTask::default()
            };
            if let Ok(task) = self.client.create_task(&task).await {
                self.acknowledged.insert(key, task.task_id);
            }
        }
    }

    /// A program that prints numbered lines and leaves a nested process behind, in a session of its own.
    fn argv(&self, key: &str) -> Vec<String> {
        let script = format!(
            "setsid sh -c 'sleep 600; : {tag}' >/dev/null 2>&1 & n=1; while [ $n -le {LINES} ]; do echo {key} line $n; sleep 0.02; n=$((n+1)); done",
            tag = self.tag
        );
        ["sh", "-c", &script].map(ToOwned::to_owned).to_vec()
    }

    pub(crate) async fn run_for(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Submits until the process has ended itself.
    pub(crate) async fn submit_until_crash(&mut self, role: Role) {
        let started = Instant::now();
        loop {
            let child = self.running.get_mut(&role).unwrap();
            if child.try_wait().unwrap().is_some() {
                self.running.remove(&role);
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the {role:?} passes no such point");
            self.submit(1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every acknowledged task has ended.
    pub(crate) async fn drain(&mut self) {
        let started = Instant::now();
        loop {
            let open = ListTasks { status: Some("queued,assigned,running,waiting".to_owned()), ..ListTasks::default() };
            if let Ok(page) = self.client.tasks(&open).await {
                if page.items.is_empty() {
                    return;
                }
                assert!(started.elapsed() < PATIENCE, "these do not end: {:?}", page.items);
            }
            assert!(started.elapsed() < PATIENCE, "the coordinator does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Looks at everything: results, logs, invariants, processes.
    pub(crate) async fn finish(mut self) {
        println!("{} tasks acknowledged of {}", self.acknowledged.len(), self.submitted);
        assert!(!self.acknowledged.is_empty());
        for (key, task) in &self.acknowledged {
            verify::task(&self.client, key, *task).await;
        }
        self.kill(Role::Worker);
        self.kill(Role::Coordinator);
        verify::store(&self.folder.path().join("coordinator")).await;
        verify::no_process_with(&self.tag, PATIENCE).await;
    }
}

fn base(folder: &Path, who: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_garageswarm"));
    // Keys of whoever runs the tests would be found, and used.
    let is_key = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        swarm_tools::Variables::PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_key).for_each(|name| {
        command.env_remove(name);
    });
    command
        .env_remove("GARAGESWARM_CRASH")
        .env("HOME", folder.join("home"))
        .env("GARAGESWARM_CONFIG_DIR", folder.join("person-config"))
        .env("GARAGESWARM_DATA_DIR", folder.join(who))
        .env("GARAGESWARM_KEYCHAIN", "off")
        .stdin(Stdio::null());
    command
}

fn log_of(folder: &Path, name: &str) -> File {
    OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.log"))).unwrap()
}

/// Starts the coordinator and waits until it says that it is ready; one that is to crash may never say so.
fn spawn_coordinator(folder: &Path, port: u16, crash: Option<&str>) -> Child {
    let mut command = base(folder, "coordinator");
    command
        .args(["up", "--no-worker", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(folder.join("coordinator"));
    if let Some(crash) = crash {
        command.env("GARAGESWARM_CRASH", crash);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(log_of(folder, "coordinator")).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("ready ") {
        line.clear();
        if said.read_line(&mut line).unwrap() == 0 {
            assert!(crash.is_some(), "the coordinator ended before it was ready: {}", log_text(folder));
            break;
        }
    }
    // What it says later must not fill the pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    child
}

fn log_text(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("coordinator.log")).unwrap_or_default()
}
