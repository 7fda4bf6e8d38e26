//! A worker that is killed, at once or at a named point, and the next process in its folder.

use std::process::{Child, Command, Stdio};

use swarm_agent::CRASH_POINTS;
use swarm_model::worker::AttemptRef;
use swarm_proto::worker::{Assignment, ToCoordinator, ToWorker};
use tempfile::TempDir;

use crate::coordinator::*;

/// An agent in a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    stderr: std::path::PathBuf,
}

impl Process {
    pub(crate) fn start(folder: &TempDir, url: &str, crash_at: Option<&str>) -> Self {
        let crash_at = crash_at.map(|point| ("GARAGESWARM_CRASH", point));
        Self::start_with(folder, url, crash_at.as_slice())
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(folder: &TempDir, url: &str, variables: &[(&str, &str)]) -> Self {
        let stderr = folder.path().join("stderr");
        let mut command = Command::new(probe());
        command.arg(folder.path().join("data")).args([url, "good-key"]).stdin(Stdio::null());
        command.env_remove("GARAGESWARM_CRASH").envs(variables.iter().copied());
        command.stderr(std::fs::File::create(&stderr).unwrap());
        Self { child: command.spawn().unwrap(), stderr }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent said: {}", std::fs::read_to_string(&self.stderr).unwrap_or_default());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn a_killed_worker_leaves_no_process_and_owns_up_to_its_loss() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    let task = script(1, "echo $$; setsid sh -c 'echo $$; sleep 1000' & wait");
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 2 {
        ledger.book(&session.report().await);
    }
    process.kill();
    for pid in ledger.texts(attempt) {
        eventually("the run's processes are gone", || !lives(pid)).await;
    }
    let _process = Process::start(&folder, &coordinator.url, None);
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.attempts.is_empty(), "an unfinished run is lost: {hello:?}");
    assert_eq!(closed(&run_folder(&folder.path().join("data"))).as_deref(), Some("lost"));
    assert_eq!(coordinator.known.lock().unwrap().n_joined, 1);
    // The machine is as good as before.
    let mut again = task;
    again.attempt = 2;
    again.input = script(1, "echo again").input;
    session.assign(&again).await;
    session.result_of(again.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(again.attempt_ref()), ["again"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_worker_and_a_killed_guard_leave_no_process_to_the_next_one() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    // The guard is the parent of the tool; the nested command outlives both.
    let task = script(1, "echo $PPID; setsid sh -c 'echo $$; sleep 1000' & wait");
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 2 {
        ledger.book(&session.report().await);
    }
    let guard = ledger.texts(attempt)[0].to_owned();
    let nested = ledger.texts(attempt)[1].to_owned();
    process.kill();
    Command::new("kill").args(["-KILL", &guard]).status().unwrap();
    let _process = Process::start(&folder, &coordinator.url, None);
    let (_session, hello) = coordinator.session(&[]).await;
    assert!(hello.attempts.is_empty());
    assert!(!lives(&nested), "the next process sweeps before it says hello");
}

/// A coordinator's side of one task: who holds it, what is stored.
struct OneTask {
    assignment: Assignment,
    ledger: Ledger,
}

impl OneTask {
    fn current(&self) -> AttemptRef {
        self.assignment.attempt_ref()
    }

    fn is_done(&self) -> bool {
        self.ledger.results.iter().any(|result| result.attempt == self.current())
    }

    /// Serves one process until it has nothing left to tell, which is true, or until its connection ends.
    async fn serve(&mut self, coordinator: &mut Coordinator, process: &mut Process) -> bool {
        let Some(mut session) = self.greet(coordinator, process).await else { return false };
        loop {
            match within(session.try_next()).await {
                Some(ToCoordinator::Report(report)) => {
                    let reply = self.ledger.book(&report);
                    session.send(&ToWorker::Ack(reply)).await;
                }
                // A heartbeat names an attempt until the acknowledgement of its result has come.
                Some(ToCoordinator::Heartbeat { running, .. }) if running.is_empty() && self.is_done() => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    async fn greet(&mut self, coordinator: &mut Coordinator, process: &mut Process) -> Option<Session> {
        let mut session = tokio::select! {
            session = coordinator.connection() => session,
            () = exit_of(process) => return None,
        };
        let Some(ToCoordinator::Hello(hello)) = within(session.try_next()).await else { return None };
        let holds = hello.attempts.contains(&self.current());
        session.welcome(&[(self.current(), self.ledger.received(self.current()))]).await;
        if !holds && !self.is_done() {
            // Not begun, or lost: the next attempt.
            self.assignment.attempt += u32::from(!self.ledger.accepted.is_empty());
            session.assign(&self.assignment).await;
        }
        Some(session)
    }
}

async fn exit_of(process: &mut Process) {
    while process.child.try_wait().unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Killed at this point, the next process tells what is missing, and no line or result is lost or doubled.
async fn survives(point: &str) {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let assignment = script(1, "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done");
    let mut task = OneTask { assignment, ledger: Ledger::default() };
    let mut process = Process::start(&folder, &coordinator.url, Some(point));
    task.serve(&mut coordinator, &mut process).await;
    tokio::time::timeout(PATIENCE, exit_of(&mut process)).await.unwrap_or_else(|_| panic!("{point} was never passed"));
    let said = std::fs::read_to_string(&process.stderr).unwrap();
    assert!(said.contains(&format!("crash point {point}")), "{point}: {said}");

    let mut process = Process::start(&folder, &coordinator.url, None);
    // Also where the result came before the kill: its acknowledgement did not. A busy machine may let the socket go
    // in the middle; the agent comes back.
    while !task.serve(&mut coordinator, &mut process).await {
        assert!(process.child.try_wait().unwrap().is_none(), "{point}: the agent ended");
    }
    let attempt = task.current();
    assert_eq!(task.ledger.texts(attempt), ["1", "2", "3", "4", "5"], "{point}");
    assert_eq!(task.ledger.results.len(), 1, "{point}: {:?}", task.ledger.results);
    assert_eq!(task.ledger.results[0].attempt, attempt, "{point}");
    // What is acknowledged is noted beside everything else; a slow disk may take its time.
    let runs = folder.path().join("data/runs");
    let all_closed = || std::fs::read_dir(&runs).unwrap().flatten().all(|run| closed(&run.path()).is_some());
    eventually("every folder is closed", all_closed).await;
    process.kill();

    // Nothing is left to tell.
    let _process = Process::start(&folder, &coordinator.url, None);
    let (_session, hello) = coordinator.session(&[]).await;
    assert!(hello.attempts.is_empty(), "{point}: {hello:?}");
}

#[tokio::test]
async fn killed_at_every_point_the_next_process_tells_what_is_missing() {
    for point in CRASH_POINTS {
        let began = std::time::Instant::now();
        survives(point).await;
        println!("{point}: killed once, {} ms", began.elapsed().as_millis());
    }
}
