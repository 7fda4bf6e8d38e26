//! A busy swarm: tasks submitted in batches, done at once, every result stored.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use swarm_proto::tasks::{CreateTask, CreateTasks};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::coordinator::Running;
use crate::sample::Row;
use crate::worker::{self, Heard};

/// How much is submitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    pub(crate) batch: usize,
    pub(crate) clients: usize,
}

/// Slots of the one worker; as many tasks are on their way at once.
const SLOTS: u32 = 4_000;

pub(crate) async fn measure(database: Option<&str>, load: Load) -> Result<Vec<Row>> {
    let running = Running::start(database).await?;
    let machine = worker::enrol(running.coordinator(), running.key(), "throughput", SLOTS).await?;
    let socket = worker::connect(&machine, SLOTS).await?;
    let (heard, listen) = mpsc::channel(1024);
    let working = tokio::spawn(worker::work(socket, heard));
    let warm_up = Load { tasks: 10_000, ..load };
    let mut listen = listen;
    drive(&running, warm_up, &mut listen).await?;
    let span = drive(&running, load, &mut listen).await?;
    drop(listen);
    working.await??;
    let rate = load.tasks as f64 / span.as_secs_f64();
    let (store, least, aim) = if database.is_some() {
        ("PostgreSQL", 20_000, "20,000 aimed for")
    } else {
        ("SQLite", 20_000, "20,000 at least, 38,000 aimed for")
    };
    Ok(vec![Row {
        name: format!("{} tasks through, {store}, batches of {}", load.tasks, load.batch),
        value: format!("{rate:.0} tasks/s"),
        floor: String::new(),
        aim: aim.to_owned(),
        is_met: rate >= f64::from(least),
    }])
}

async fn drive(running: &Running, load: Load, listen: &mut mpsc::Receiver<Heard>) -> Result<Duration> {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    let share = load.tasks / load.clients;
    for _ in 0..load.clients {
        let client = running.client().clone();
        clients.spawn(async move {
            let mut left = share;
            while left > 0 {
                let n = left.min(load.batch);
                let tasks = (0..n).map(|_| CreateTask { description: "nothing".to_owned(), ..CreateTask::default() });
                client.create_tasks(&CreateTasks { tasks: tasks.collect() }).await?;
                left -= n;
            }
            anyhow::Ok(())
        });
    }
    let mut stored = 0;
    while stored < share * load.clients {
        if let Heard::Stored { n } = listen.recv().await.context("the worker went away")? {
            stored += n;
        }
    }
    let span = started.elapsed();
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(span)
}
