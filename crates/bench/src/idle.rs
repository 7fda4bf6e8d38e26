//! What a swarm costs that does nothing: memory and processor of coordinator and agent.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::coordinator::{Running, cpu_seconds, memory_mb};
use crate::sample::Row;

pub(crate) async fn measure(binary: &Path, seconds: u64) -> Result<Vec<Row>> {
    let running = Running::start(None).await?;
    let agent = running.start_agent(binary, &[])?;
    // The start is not idleness.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (coordinator_before, agent_before) = (cpu_seconds(running.pid())?, cpu_seconds(agent.pid())?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let share = |before: f64, after: f64| (after - before) / seconds as f64 * 100.0;
    let coordinator = share(coordinator_before, cpu_seconds(running.pid())?);
    let agent_share = share(agent_before, cpu_seconds(agent.pid())?);
    let memory = |who: &str, mb: f64, most: f64| Row {
        name: format!("memory of an idle {who}"),
        value: format!("{mb:.1} MB"),
        floor: String::new(),
        aim: format!("< {most:.0} MB"),
        is_met: mb < most,
    };
    let processor = |who: &str, percent: f64| Row {
        name: format!("processor of an idle {who}"),
        value: format!("{percent:.2} % of a core"),
        floor: String::new(),
        aim: "< 0.5 %".to_owned(),
        is_met: percent < 0.5,
    };
    Ok(vec![
        memory("coordinator", memory_mb(running.pid())?, 30.0),
        processor("coordinator", coordinator),
        memory("agent", memory_mb(agent.pid())?, 20.0),
        processor("agent", agent_share),
    ])
}
