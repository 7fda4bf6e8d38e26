//! One run with folders of its own, and the ways to look at what it did.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use swarm_model::task::{Limits, Outcome, RunRecord, TaskInput, TaskResult};
use swarm_model::time::SystemClock;
use swarm_model::{FailureClass, TaskId, ToolName, UserId};
use swarm_tools::{
    Adapter, Confinement, GuardBinary, Registry, RunDirs, RunRequest, ToolEvent, ToolSettings, Variables, supervise,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a test waits for a state before it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn probe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_swarm-guard-probe"))
}

/// A run before it starts. Its folders go away with it.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) request: RunRequest,
    pub(crate) settings: ToolSettings,
    /// What the worker was started with: nothing of whoever runs the tests.
    pub(crate) variables: Variables,
    registry: OnceLock<Registry>,
}

/// A run that is going on.
pub(crate) struct Going {
    pub(crate) cancel: CancellationToken,
    pub(crate) events: mpsc::Receiver<ToolEvent>,
    pub(crate) seen: Vec<ToolEvent>,
    pub(crate) done: tokio::task::JoinHandle<(Outcome, RunRecord)>,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) record: RunRecord,
    pub(crate) events: Vec<ToolEvent>,
}

impl Bench {
    pub(crate) fn new(tool: &str, input: TaskInput, description: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = |name: &str| folder.path().join(name);
        let request = RunRequest {
            task_id: TaskId::generate(&SystemClock),
            attempt: 1,
            user_id: UserId::generate(&SystemClock),
            description: description.to_owned(),
            input,
            tool: tool.parse::<ToolName>().unwrap(),
            model: None,
            limits: Limits::default(),
            session: None,
            dirs: RunDirs { work: dir("work"), tmp: dir("tmp"), state: dir("state"), control: dir("control") },
            confinement: Confinement::default(),
        };
        let (settings, variables, registry) = (ToolSettings::default(), Variables::default(), OnceLock::new());
        Self { folder, request, settings, variables, registry }
    }

    pub(crate) fn command(argv: &[&str]) -> Self {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Self::new("command", TaskInput::Command { argv, stdin: None, env: [].into() }, "a command")
    }

    pub(crate) fn shell(script: &str) -> Self {
        Self::command(&["/bin/sh", "-c", script])
    }

    pub(crate) fn prompt(tool: &str, prompt: &str) -> Self {
        Self::new(tool, TaskInput::default(), prompt)
    }

    /// The same once more, with folders of its own but for what the tool keeps between runs.
    #[cfg(target_os = "linux")]
    pub(crate) fn beside(&self) -> Self {
        let mut other = Self::new(self.request.tool.as_str(), self.request.input.clone(), &self.request.description);
        other.request.dirs.state.clone_from(&self.request.dirs.state);
        (other.settings, other.variables) = (self.settings.clone(), self.variables.clone());
        other
    }

    /// The tool's adapter, the same one for every run of this bench.
    pub(crate) fn adapter(&self) -> &dyn Adapter {
        let registry = self.registry.get_or_init(|| Registry::standard(&self.variables));
        registry.get(&self.request.tool).unwrap().as_ref()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.request.dirs.work.clone()
    }

    /// Starts the run; `room` is how many events fit before somebody takes them.
    pub(crate) fn start_with_room(&self, room: usize) -> Going {
        let plan = self.adapter().plan(&self.request, &self.settings).unwrap();
        let (sender, events) = mpsc::channel(room);
        let (cancel, request) = (CancellationToken::new(), self.request.clone());
        let token = cancel.clone();
        let done = tokio::spawn(async move { supervise(plan, &request, &GuardBinary(probe()), sender, token).await });
        Going { cancel, events, seen: Vec::new(), done }
    }

    pub(crate) fn start(&self) -> Going {
        self.start_with_room(1024)
    }

    pub(crate) async fn run(&self) -> Done {
        let done = self.start().finish().await;
        assert!(!self.request.dirs.tmp.exists(), "the temporary folder is left");
        assert!(!self.request.dirs.control.exists(), "the control folder is left");
        done
    }
}

impl Going {
    /// Takes events until one is as wanted.
    pub(crate) async fn until(&mut self, mut wanted: impl FnMut(&ToolEvent) -> bool) {
        let found = async {
            while let Some(event) = self.events.recv().await {
                let found = wanted(&event);
                self.seen.push(event);
                if found {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(DEADLINE, found).await;
        assert_eq!(found, Ok(true), "not among the events: {:?}", self.seen);
    }

    pub(crate) async fn finish(mut self) -> Done {
        let rest = async {
            while let Some(event) = self.events.recv().await {
                self.seen.push(event);
            }
            self.done.await.unwrap()
        };
        let (outcome, record) = tokio::time::timeout(DEADLINE * 2, rest).await.expect("the run does not end");
        Done { outcome, record, events: self.seen }
    }
}

impl Done {
    pub(crate) fn result(&self) -> &TaskResult {
        match &self.outcome {
            Outcome::Completed { result } => result,
            other => panic!("not completed: {other:?}\n{:#?}", self.events),
        }
    }

    pub(crate) fn failure(&self) -> (FailureClass, &str) {
        match &self.outcome {
            Outcome::Failed { class, error, .. } => (*class, error),
            other => panic!("not failed: {other:?}\n{:#?}", self.events),
        }
    }

    /// What there was before the end of a run without a result.
    pub(crate) fn partial(&self) -> &str {
        match &self.outcome {
            Outcome::Failed { partial, .. } | Outcome::Cancelled { partial } => {
                partial.as_ref().map_or("", |partial| &partial.text)
            }
            Outcome::Completed { .. } => panic!("completed"),
        }
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                ToolEvent::Stdout(line) => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        self.events
            .iter()
            .filter_map(|event| match event {
                ToolEvent::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

#[cfg(target_os = "linux")]
pub(crate) use processes::{eventually, lives, n_sleeping, pids_in, wait_until};

#[cfg(target_os = "linux")]
mod processes {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::DEADLINE;

    /// Waits, with a deadline, until something is so.
    pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The same for asynchronous tests.
    pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The numbers that scripts wrote into a file, one a line, once there are `n`.
    pub(crate) async fn pids_in(path: &Path, n: usize) -> Vec<i32> {
        let read = || -> Vec<i32> {
            std::fs::read_to_string(path)
                .unwrap_or_default()
                .lines()
                .filter_map(|line| line.trim().parse().ok())
                .collect()
        };
        eventually(&format!("{n} process ids in {}", path.display()), || read().len() >= n).await;
        read()
    }

    /// How many `sleep`s there are whose arguments hold a mark, in whatever namespace they think they are.
    pub(crate) fn n_sleeping(mark: &str) -> usize {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let commands = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
        commands.filter(|command| command.starts_with("sleep\0") && command.contains(mark)).count()
    }

    /// Whether a process is there and not only waiting to be reaped.
    pub(crate) fn lives(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or("").starts_with(['Z', 'X']))
    }
}
