//! The worker of this machine in words.

use std::path::Path;

use swarm_agent::{AgentEvent, AgentStatus, Grant, LinkStatus, UsedToday};
use swarm_model::Timestamp;

use super::words::isolation;
use crate::output::table::Facts;
use crate::readable::{WARN, ago, plain, tool_state};

pub(super) fn status(status: &AgentStatus, data_dir: &Path, now: Timestamp) -> String {
    let mut facts = Facts::default();
    facts
        .fact("worker", plain(&status.name))
        .maybe("id", status.worker_id.map(|id| id.to_string()))
        .fact("coordinator", status.coordinator.as_deref().map_or("not joined yet".to_owned(), plain))
        .fact("link", link(&status.link))
        .fact("takes tasks", takes(status))
        .fact("runs", format!("{} of {} slots", status.running.len(), status.slots));
    for run in &status.running {
        let progress = run.progress.map(|percent| format!(", {percent} %")).unwrap_or_default();
        facts.fact("", format!("#{} {}{progress}, began {}", run.number, run.tool, ago(now, run.since)));
    }
    if status.unacknowledged > 0 {
        facts.fact("undelivered", format!("{} results, until the coordinator has them", status.unacknowledged));
    }
    let tools = status.tools.iter().map(|tool| {
        let (state, fix) = tool_state(&tool.health);
        let version = tool.version.as_deref().map(|version| format!(" {}", plain(version))).unwrap_or_default();
        let fix = fix.map(|fix| format!("\n  {WARN}{}{WARN:#}", plain(fix))).unwrap_or_default();
        format!("{}{version}: {state}{fix}", tool.name)
    });
    facts.fact("tools", tools.collect::<Vec<_>>().join("\n"));
    facts.fact("isolation", isolation(&status.isolation));
    let grants: Vec<_> = status.grants.iter().map(|one| grant(one, &status.used_today)).collect();
    facts.fact("granted", if grants.is_empty() { "to nobody but you".to_owned() } else { grants.join("\n") });
    facts.fact("data", data_dir.display().to_string());
    facts.text()
}

/// One line, for who watches.
pub(super) fn line(status: &AgentStatus) -> String {
    format!(
        "{}: {}, {}, {} of {} slots",
        plain(&status.name),
        link(&status.link),
        takes(status),
        status.running.len(),
        status.slots
    )
}

pub(super) fn event(event: &AgentEvent) -> Option<String> {
    match event {
        // The status that comes with it says the same.
        AgentEvent::Link { .. } => None,
        AgentEvent::Started { number, tool } => Some(format!("#{number} {tool} begins")),
        AgentEvent::Refused { number, reason } => Some(format!("#{number} declined: {}", reason.sentence())),
        AgentEvent::Ended { number, failure: None } => Some(format!("#{number} has ended")),
        AgentEvent::Ended { number, failure: Some(class) } => Some(format!("#{number} failed: {class}")),
        AgentEvent::Delivered { number } => Some(format!("#{number} is delivered")),
    }
}

fn link(link: &LinkStatus) -> String {
    match link {
        LinkStatus::Connecting => "on its way".to_owned(),
        LinkStatus::Connected => "connected".to_owned(),
        LinkStatus::Waiting { reason } => format!("not connected: {}", plain(reason)),
        LinkStatus::Stopped => "stopped".to_owned(),
    }
}

fn takes(status: &AgentStatus) -> String {
    match (status.draining, status.pauses.by_owner, status.pauses.by_coordinator) {
        (true, ..) => "no: it finishes what it has",
        (_, true, true) => "no: paused by you and by the coordinator",
        (_, true, false) => "no: paused by you; `garageswarm worker resume` lifts it",
        (_, false, true) => "no: paused by the coordinator",
        (_, false, false) => "yes",
    }
    .to_owned()
}

fn grant(grant: &Grant, used_today: &[UsedToday]) -> String {
    let who = grant.name.as_deref().map_or_else(|| grant.user.to_string(), plain);
    let mut bounds = Vec::new();
    bounds.extend(grant.slots.map(|slots| format!("{slots} at once")));
    bounds.extend(grant.runs_per_day.map(|runs| format!("{runs} runs a day")));
    bounds.extend(grant.cost_per_day_usd.map(|cost| format!("{cost} a day")));
    let bounds = if bounds.is_empty() { "without bounds".to_owned() } else { bounds.join(", ") };
    let of_them =
        |used: &&UsedToday| used.tool == grant.tool && grant.user.user_id().is_none_or(|user| user == used.user_id);
    let (runs, cost) = used_today
        .iter()
        .filter(of_them)
        .fold((0_u32, 0_u64), |(runs, cost), used| (runs + used.runs, cost + used.cost_usd.as_micros()));
    let used = if runs == 0 && cost == 0 {
        "nothing today".to_owned()
    } else {
        format!("today {runs} runs, {}", swarm_agent::Dollars::from_micros(cost))
    };
    format!("{} to {who}: {bounds}; {used}", grant.tool)
}
