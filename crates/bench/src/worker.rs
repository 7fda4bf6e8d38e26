//! Workers of the benchmark: real sockets and real frames, and nothing behind them.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use swarm_client::{Coordinator, WorkerClient, WorkerSocket};
use swarm_model::task::{Outcome, RunRecord, TaskResult};
use swarm_model::time::SystemClock;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{Capabilities, ProvenIsolation};
use swarm_model::{BootId, ToolName};
use swarm_proto::worker::{Assignment, AttemptResult, Hello, PROTOCOL, Report, ToCoordinator, ToWorker};
use swarm_proto::workers::RegisterWorker;
use tokio::sync::mpsc;

/// What the workers of the benchmark say they can do.
pub(crate) fn capabilities(slots: u32) -> Result<Capabilities> {
    let tool = ToolInfo {
        name: ToolName::DEMO.parse()?,
        version: None,
        health: ToolHealth::Ready,
        models: Vec::new(),
        max_concurrent: None,
        account: None,
    };
    Ok(Capabilities {
        slots,
        tools: vec![tool],
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        memory_mb: 1_024,
        cpus: 2,
        agent_version: "bench".to_owned(),
        labels: BTreeMap::new(),
        grants: Vec::new(),
        isolation: ProvenIsolation::default(),
    })
}

/// Enrols a worker.
pub(crate) async fn enrol(coordinator: &Coordinator, key: &str, name: &str, slots: u32) -> Result<WorkerClient> {
    let register = RegisterWorker {
        machine_id: name.to_owned(),
        machine_name: name.to_owned(),
        capabilities: capabilities(slots)?,
    };
    Ok(coordinator.enrol(key, &register).await?.0)
}

/// Opens a worker's socket and says hello.
pub(crate) async fn connect(worker: &WorkerClient, slots: u32) -> Result<WorkerSocket> {
    let mut socket = worker.connect().await?;
    let hello = Hello {
        protocol: PROTOCOL,
        boot_id: BootId::generate(&SystemClock),
        capabilities: capabilities(slots)?,
        attempts: Vec::new(),
        paused_by_owner: false,
    };
    socket.send(&ToCoordinator::Hello(hello)).await?;
    match socket.next().await? {
        ToWorker::Welcome { .. } => Ok(socket),
        other => bail!("expected a welcome, got {other:?}"),
    }
}

/// The report of a task that was nothing to do.
pub(crate) fn done(tasks: &[Assignment]) -> ToCoordinator {
    let result = |task: &Assignment| AttemptResult {
        attempt: task.attempt_ref(),
        outcome: Outcome::Completed { result: TaskResult { text: "done".to_owned(), ..TaskResult::default() } },
        record: RunRecord::default(),
    };
    ToCoordinator::Report(Report {
        accepted: tasks.iter().map(Assignment::attempt_ref).collect(),
        results: tasks.iter().map(result).collect(),
        ..Report::default()
    })
}

/// What a working worker tells: when work came, and how many results were acknowledged.
#[derive(Debug)]
pub(crate) enum Heard {
    Assigned { at: Instant },
    Stored { n: usize },
}

/// Does every task at once until the socket closes.
pub(crate) async fn work(socket: WorkerSocket, heard: mpsc::Sender<Heard>) -> Result<()> {
    let (mut sender, mut receiver) = socket.split();
    loop {
        let frame = tokio::select! {
            frame = receiver.next() => frame?,
            () = heard.closed() => return Ok(()),
        };
        match frame {
            ToWorker::Assign { tasks } => {
                let at = Instant::now();
                sender.send(&done(&tasks)).await?;
                heard.send(Heard::Assigned { at }).await?;
            }
            ToWorker::Ack(reply) if !reply.results.is_empty() => {
                heard.send(Heard::Stored { n: reply.results.len() }).await?;
            }
            _ => {}
        }
    }
}
