//! An idle swarm: how long from the submission until the task is at its worker.

use std::time::Instant;

use anyhow::{Context as _, Result};
use swarm_proto::tasks::CreateTask;
use tokio::sync::mpsc;

use crate::coordinator::Running;
use crate::floor;
use crate::sample::{Row, Samples, millis};
use crate::worker::{self, Heard};

const WARM_UP: usize = 50;
const ROUNDS: usize = 500;

pub(crate) async fn measure() -> Result<Vec<Row>> {
    let running = Running::start(None).await?;
    let client = running.client();
    let machine = worker::enrol(running.coordinator(), running.key(), "latency", 4).await?;
    let socket = worker::connect(&machine, 4).await?;
    let (heard, mut listen) = mpsc::channel(64);
    let working = tokio::spawn(worker::work(socket, heard));
    let mut samples = Samples::default();
    for round in 0..WARM_UP + ROUNDS {
        let task = CreateTask { description: "nothing".to_owned(), ..CreateTask::default() };
        let started = Instant::now();
        let (submitted, arrived) = tokio::join!(client.create_task(&task), arrival(&mut listen));
        submitted?;
        if round >= WARM_UP {
            samples.push(arrived?.duration_since(started));
        }
        // The swarm is idle again once the result is stored.
        while !matches!(listen.recv().await.context("the worker went away")?, Heard::Stored { .. }) {}
    }
    let floor = floor::measure(running.folder()).await?;
    drop(listen);
    working.await??;
    let (p50, p99) = (samples.percentile(50), samples.percentile(99));
    let above = |value: std::time::Duration, floor| value.saturating_sub(floor);
    let row = |name: &str, value, floor, aim_us: u64| Row {
        name: format!("submit to start, idle, {name}"),
        value: millis(value),
        floor: millis(floor),
        aim: format!("< {:.1} ms above the floor", aim_us as f64 / 1_000.0),
        is_met: above(value, floor).as_micros() < u128::from(aim_us),
    };
    Ok(vec![row("p50", p50, floor.p50, 1_500), row("p99", p99, floor.p99, 5_000)])
}

async fn arrival(listen: &mut mpsc::Receiver<Heard>) -> Result<Instant> {
    loop {
        if let Heard::Assigned { at } = listen.recv().await.context("the worker went away")? {
            return Ok(at);
        }
    }
}
