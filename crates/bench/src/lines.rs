//! From a line that a tool prints on a worker to the client that watches it: a real agent, a real program, and the
//! long poll that `garageswarm task logs -f` holds.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use swarm_model::log::LogStream;
use swarm_model::task::TaskInput;
use swarm_model::time::SystemClock;
use swarm_model::{Clock as _, Timestamp};
use swarm_proto::tasks::{CreateTask, ReadLog};

use crate::coordinator::Running;
use crate::floor;
use crate::sample::{Row, Samples, millis};

const LINES: usize = 500;
/// The first lines meet a start; they are not counted.
const WARM_UP: usize = 20;
/// Prints the time since 1970 in nanoseconds, again and again.
const CLOCK: &str = "i=0; while [ $i -lt 520 ]; do date +%s%N; i=$((i + 1)); sleep 0.02; done";

pub(crate) async fn measure(binary: &Path) -> Result<Vec<Row>> {
    let running = Running::start(None).await?;
    let _agent = running.start_agent(binary, &["--allow-tool", "command"])?;
    let client = running.client();
    let argv = ["sh", "-c", CLOCK].map(str::to_owned).to_vec();
    let task = client
        .create_task(&CreateTask {
            tool: Some("command".parse()?),
            input: Some(TaskInput::Command { argv, stdin: None, env: std::collections::BTreeMap::new() }),
            ..CreateTask::default()
        })
        .await?;
    let (mut samples, mut after, mut n_lines) = (Samples::default(), 0, 0);
    loop {
        let page = client.task_log(task.task_id, &ReadLog { after, limit: None, wait_ms: 25_000 }).await?;
        let now = SystemClock.now();
        for entry in page.entries.iter().filter(|entry| entry.stream == LogStream::Stdout) {
            let printed: i64 = entry.text.trim().parse().context("a line that is no time")?;
            n_lines += 1;
            if n_lines > WARM_UP {
                samples.push(now.since(Timestamp::from_micros(printed / 1_000)));
            }
        }
        after = page.next_after;
        if page.complete {
            break;
        }
    }
    ensure!(n_lines == LINES + WARM_UP, "{n_lines} lines came");
    let floor = floor::measure(running.folder()).await?;
    let row = |name: &str, value: Duration, floor, aim_ms: u64| Row {
        name: format!("line on the worker to a client that watches, {name}"),
        value: millis(value),
        floor: millis(floor),
        aim: format!("< {aim_ms} ms"),
        is_met: value < Duration::from_millis(aim_ms),
    };
    let (p50, p95) = (samples.percentile(50), samples.percentile(95));
    Ok(vec![row("p50", p50, floor.p50, 50), row("p95", p95, floor.p99, 50)])
}
