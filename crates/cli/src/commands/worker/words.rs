//! Workers as people read them.

use swarm_model::Timestamp;
use swarm_model::rights::WorkerRole;
use swarm_model::worker::ProvenIsolation;
use swarm_proto::workers::Worker;

use crate::output::table::{Facts, Table, styled};
use crate::readable::{DIM, NORMAL, WARN, ago, plain, tool_state, worker_style};

/// The part of an id that tells workers apart: its end, for the beginning is the time.
fn short_id(worker: &Worker) -> String {
    let id = worker.worker_id.to_string();
    id[id.len() - 8..].to_owned()
}

/// How it stands, and what a person should know beside that.
fn state(worker: &Worker) -> String {
    let mut state = worker.status.as_str().to_owned();
    if worker.pauses.by_owner {
        state.push_str(" by owner");
    }
    state
}

fn tools(worker: &Worker) -> String {
    let ready: Vec<_> =
        worker.capabilities.tools.iter().filter(|tool| tool.health.is_ready()).map(|tool| tool.name.as_str()).collect();
    if ready.is_empty() { "none ready".to_owned() } else { ready.join(" ") }
}

pub(super) fn list(workers: &[Worker], now: Timestamp) -> String {
    let mut table = Table::new(&["WORKER", "ID", "STATE", "RUNS", "TOOLS", "SEEN"]);
    for worker in workers {
        table.row([
            styled(plain(&worker.machine_name), NORMAL),
            styled(short_id(worker), DIM),
            styled(state(worker), worker_style(worker.status)),
            styled(format!("{}/{}", worker.running, worker.capabilities.slots), NORMAL),
            styled(tools(worker), NORMAL),
            styled(worker.last_heartbeat.map_or_else(|| "never".to_owned(), |at| ago(now, at)), DIM),
        ]);
    }
    table.or("no workers yet: `garageswarm worker invite` adds a machine of yours")
}

pub(super) fn show(worker: &Worker, now: Timestamp) -> String {
    let style = worker_style(worker.status);
    let capabilities = &worker.capabilities;
    let mut facts = Facts::default();
    facts
        .fact("worker", plain(&worker.machine_name))
        .fact("id", worker.worker_id.to_string())
        .fact("state", format!("{style}{}{style:#}", state(worker)))
        .fact("runs", format!("{} of {} slots", worker.running, capabilities.slots))
        .fact(
            "machine",
            format!(
                "{} {}, {} processors, {} MiB",
                capabilities.os, capabilities.arch, capabilities.cpus, capabilities.memory_mb
            ),
        )
        .fact("load", load(worker))
        .fact("agent", capabilities.agent_version.clone())
        .fact("isolation", isolation(&capabilities.isolation))
        .maybe("your role", worker.role.map(WorkerRole::as_str))
        .fact("shared", if worker.shared { "with everyone" } else { "no" })
        .fact("seen", worker.last_heartbeat.map_or_else(|| "never".to_owned(), |at| ago(now, at)))
        .fact("joined", ago(now, worker.registered_at));
    if !capabilities.labels.is_empty() {
        let labels: Vec<_> = capabilities.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        facts.fact("labels", plain(&labels.join(" ")));
    }
    let tools = capabilities.tools.iter().map(|tool| {
        let (state, fix) = tool_state(&tool.health);
        let version = tool.version.as_deref().map(|version| format!(" {}", plain(version))).unwrap_or_default();
        let fix = fix.map(|fix| format!("\n  {WARN}{}{WARN:#}", plain(fix))).unwrap_or_default();
        format!("{}{version}: {state}{fix}", tool.name)
    });
    facts.fact("tools", tools.collect::<Vec<_>>().join("\n"));
    facts.text()
}

/// The level that was proved, and what people should know of it.
pub(super) fn isolation(proven: &ProvenIsolation) -> String {
    let remarks = proven.remarks.iter().map(|remark| format!("\n  {WARN}{}{WARN:#}", plain(remark)));
    format!("{}{}", proven.level, remarks.collect::<String>())
}

fn load(worker: &Worker) -> String {
    let load = worker.load;
    format!("processor {:.0} %, memory {:.0} %, disk {:.0} %", load.cpu_percent, load.memory_percent, load.disk_percent)
}
