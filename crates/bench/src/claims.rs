//! One more waiting task, or one more registered worker, must not slow a claim.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use swarm_client::{WorkerClient, WorkerSocket};
use swarm_model::WorkerId;
use swarm_model::task::Queue;
use swarm_model::time::SystemClock;
use swarm_proto::tasks::{CreateTask, CreateTasks};
use swarm_proto::worker::ToWorker;
use tokio::task::JoinSet;

use crate::coordinator::{Running, memory_mb};
use crate::sample::Row;
use crate::worker;

const CLAIMS: usize = 2_000;
const MANY_TASKS: usize = 100_000;
const MANY_WORKERS: usize = 10_000;
const CONNECTED: usize = 1_000;

pub(crate) async fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();

    let running = Running::start(None).await?;
    let machine = worker::enrol(running.coordinator(), running.key(), "claims", 1).await?;
    let few = claims(&running, &machine, 10).await?;
    let many = claims(&running, &machine, MANY_TASKS).await?;
    rows.push(compare("tasks waiting, 10 and 100,000", few, many));
    drop(running);

    let running = Running::start(None).await?;
    let machine = worker::enrol(running.coordinator(), running.key(), "claims", 1).await?;
    for n in 1..10 {
        worker::enrol(running.coordinator(), running.key(), &format!("registered-{n}"), 1).await?;
    }
    let few = claims(&running, &machine, 10).await?;
    register_many(&running).await?;
    let many = claims(&running, &machine, 10).await?;
    rows.push(compare("workers registered, 10 and 10,000", few, many));
    drop(running);

    let running = Running::start(None).await?;
    let before = memory_mb(running.pid())?;
    let idle = connect_many(&running).await?;
    let after = memory_mb(running.pid())?;
    rows.push(Row {
        name: format!("memory with {CONNECTED} idle connected workers"),
        value: format!("{after:.0} MB ({before:.0} MB without)"),
        floor: String::new(),
        aim: "< 100 MB".to_owned(),
        is_met: after < 100.0,
    });
    drop(idle);
    Ok(rows)
}

/// Claims a second by a worker with one slot, which takes the next as soon as it gave the last one back, while
/// `waiting` tasks stand in the queue.
pub(crate) async fn claims(running: &Running, machine: &WorkerClient, waiting: usize) -> Result<f64> {
    // Tasks that this worker cannot take make the queue long; those it can take stand behind them.
    let target = Queue::Worker { worker_id: machine.worker_id() };
    submit(running, waiting, None).await?;
    submit(running, CLAIMS, Some(target)).await?;
    let mut socket = worker::connect(machine, 1).await?;
    let rate = take(&mut socket).await?;
    Ok(rate)
}

async fn take(socket: &mut WorkerSocket) -> Result<f64> {
    let started = Instant::now();
    let mut taken = 0;
    while taken < CLAIMS {
        if let ToWorker::Assign { tasks } = socket.next().await? {
            taken += tasks.len();
            socket.send(&worker::done(&tasks)).await?;
        }
    }
    Ok(CLAIMS as f64 / started.elapsed().as_secs_f64())
}

/// Tasks for `queue`, or for a tool that nobody has.
async fn submit(running: &Running, n: usize, queue: Option<Queue>) -> Result<()> {
    let tool = if queue.is_none() { Some("nobody-has-this".parse()?) } else { None };
    let mut left = n;
    while left > 0 {
        let batch = left.min(1_000);
        let one = CreateTask { description: "nothing".to_owned(), queue, tool: tool.clone(), ..CreateTask::default() };
        running.client().create_tasks(&CreateTasks { tasks: vec![one; batch] }).await?;
        left -= batch;
    }
    Ok(())
}

async fn register_many(running: &Running) -> Result<()> {
    let mut under_way = JoinSet::new();
    for n in 0..MANY_WORKERS {
        let (coordinator, key) = (running.coordinator().clone(), running.key().to_owned());
        under_way.spawn(async move { worker::enrol(&coordinator, &key, &format!("many-{n}"), 1).await });
        if under_way.len() >= 16 {
            under_way.join_next().await.context("a registration is under way")???;
        }
    }
    while let Some(registered) = under_way.join_next().await {
        registered??;
    }
    Ok(())
}

async fn connect_many(running: &Running) -> Result<Vec<WorkerSocket>> {
    let mut sockets = Vec::with_capacity(CONNECTED);
    for n in 0..CONNECTED {
        let machine = worker::enrol(
            running.coordinator(),
            running.key(),
            &format!("connected-{n}-{}", WorkerId::generate(&SystemClock)),
            1,
        )
        .await?;
        sockets.push(worker::connect(&machine, 1).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(sockets)
}

fn compare(name: &str, few: f64, many: f64) -> Row {
    Row {
        name: format!("claims with {name}"),
        value: format!("{few:.0}/s and {many:.0}/s"),
        floor: String::new(),
        aim: "the same (within a fifth)".to_owned(),
        is_met: many > few * 0.8,
    }
}
