//! What these tests say again and again.

use anyhow::{Context as _, Result};
use swarm_client::{WorkerClient, WorkerSocket};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::task::{Outcome, RunRecord, TaskResult};
use swarm_model::time::SystemClock;
use swarm_model::worker::{AttemptRef, Load};
use swarm_model::{BootId, Timestamp};
use swarm_proto::tasks::CreateTask;
use swarm_proto::worker::{Assignment, AttemptResult, Hello, LogBatch, PROTOCOL, Report, ToCoordinator, ToWorker};
use swarm_proto::workers::{Heartbeat, PullTask};
use swarm_testkit::coordinator::capabilities;

pub(crate) fn prompt(text: &str) -> CreateTask {
    CreateTask { description: text.to_owned(), ..CreateTask::default() }
}

pub(crate) fn heartbeat(running: &[AttemptRef]) -> Heartbeat {
    Heartbeat {
        boot_id: BootId::generate(&SystemClock),
        running: running.to_vec(),
        load: Load::default(),
        capabilities: None,
        paused_by_owner: false,
    }
}

/// Joins by HTTP and pulls one task.
pub(crate) async fn pull(worker: &WorkerClient) -> Result<Option<Assignment>> {
    Ok(worker.pull_task(PullTask { wait_ms: 0 }).await?.task)
}

pub(crate) fn line(n: u64, text: &str) -> LogLine {
    LogLine { n, stream: LogStream::Stdout, text: text.to_owned(), data: None, at: Timestamp::EPOCH }
}

pub(crate) fn said(attempt: AttemptRef, lines: Vec<LogLine>) -> Report {
    Report { logs: vec![LogBatch { attempt, lines }], ..Report::default() }
}

pub(crate) fn accepted(attempt: AttemptRef) -> Report {
    Report { accepted: vec![attempt], ..Report::default() }
}

pub(crate) fn done(attempt: AttemptRef, text: &str) -> Report {
    let outcome = Outcome::Completed { result: TaskResult { text: text.to_owned(), ..TaskResult::default() } };
    Report { results: vec![AttemptResult { attempt, outcome, record: RunRecord::default() }], ..Report::default() }
}

pub(crate) fn hello(named: &[AttemptRef]) -> ToCoordinator {
    ToCoordinator::Hello(Hello {
        protocol: PROTOCOL,
        boot_id: BootId::generate(&SystemClock),
        capabilities: capabilities(2, &["demo", "command"]),
        attempts: named.to_vec(),
        paused_by_owner: false,
    })
}

/// Opens a worker's socket, says hello, and gives the welcome.
pub(crate) async fn join(worker: &WorkerClient, named: &[AttemptRef]) -> Result<(WorkerSocket, ToWorker)> {
    let mut socket = worker.connect().await?;
    socket.send(&hello(named)).await?;
    let welcome = socket.next().await?;
    Ok((socket, welcome))
}

/// The next assignment; other frames are passed over.
pub(crate) async fn assigned(socket: &mut WorkerSocket) -> Result<Assignment> {
    loop {
        if let ToWorker::Assign { tasks } = socket.next().await? {
            return tasks.into_iter().next().context("an empty assignment");
        }
    }
}
