//! Measures the coordinator from outside: the real binary as a process of its own, real sockets, every
//! acknowledged write on disk; and the proxy between a tool and its provider, in a real run. Each latency stands beside the floor of the same run, because disks differ from
//! minute to minute.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod claims;
mod coordinator;
mod floor;
mod idle;
mod latency;
mod lines;
mod proxy;
mod sample;
mod strangers;
mod throughput;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};

use sample::Row;

/// As in `garageswarm`, because this program is also the coordinator that it measures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the coordinator.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure; everything unless said otherwise.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// The binary to measure; the one beside this program unless said otherwise.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Tasks of the throughput run.
    #[arg(long, default_value_t = 200_000)]
    tasks: usize,
    /// Tasks in one submitted batch.
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Clients that submit at once.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Measure PostgreSQL at this URL too.
    #[arg(long, env = "GARAGESWARM_TEST_POSTGRES")]
    postgres: Option<String>,
    /// Questions that wait for their first byte through the proxy of a run.
    #[arg(long, default_value_t = 1_000)]
    asked: usize,
    /// Seconds of watching an idle swarm.
    #[arg(long, default_value_t = 20)]
    idle_seconds: u64,
    /// Be the coordinator under measurement, with its data in this folder.
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// The database of that coordinator.
    #[arg(long, hide = true, requires = "serve")]
    database: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Latency,
    Throughput,
    Claims,
    Strangers,
    Lines,
    Proxy,
    Idle,
}

#[tokio::main]
async fn main() -> Result<()> {
    if let Ok(rounds) = std::env::var(proxy::BE_THE_TOOL) {
        return proxy::be_the_tool(&rounds).await;
    }
    let args = Args::parse();
    if let Some(folder) = &args.serve {
        return coordinator::serve(folder, args.database.as_deref()).await;
    }
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name(format!("garageswarm{}", std::env::consts::EXE_SUFFIX)),
    };
    let wanted = |part| args.parts.is_empty() || args.parts.contains(&part);
    let mut rows = Vec::new();
    if wanted(Part::Latency) {
        rows.extend(latency::measure().await?);
    }
    if wanted(Part::Throughput) {
        let load = throughput::Load { tasks: args.tasks, batch: args.batch, clients: args.clients };
        rows.extend(throughput::measure(None, load).await?);
        if let Some(url) = &args.postgres {
            rows.extend(throughput::measure(Some(url), load).await?);
        }
    }
    if wanted(Part::Claims) {
        rows.extend(claims::measure().await?);
    }
    if wanted(Part::Strangers) {
        rows.extend(strangers::measure().await?);
    }
    if wanted(Part::Lines) {
        rows.extend(lines::measure(&binary).await?);
    }
    if wanted(Part::Proxy) {
        rows.extend(proxy::measure(&binary, args.asked).await?);
    }
    if wanted(Part::Idle) {
        rows.extend(idle::measure(&binary, args.idle_seconds).await?);
    }
    print(&rows);
    Ok(())
}

fn print(rows: &[Row]) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["measured", "value", "floor of this run", "aim", ""]);
    for row in rows {
        table.add_row([row.name.as_str(), &row.value, &row.floor, &row.aim, if row.is_met { "met" } else { "MISSED" }]);
    }
    println!("{cores} cores\n{table}");
}
