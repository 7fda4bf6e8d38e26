//! Why a task is where it is, or why nothing fits.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::extract::State;
use swarm_engine::{CandidateReport, EntryReport, PlacementReport};
use swarm_model::rights::Operation;
use swarm_model::{FailureClass, ModelChoice, TaskState, WorkerId};
use swarm_proto::tasks::{Candidate, Placement, Score};
use swarm_store::task::StoredTask;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// The scores of every machine you may see for this task, or what rules each out.
#[utoipa::path(get, path = "/tasks/{id}/placement", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 200, body = Placement)))]
pub(super) async fn explain_placement(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Json<Placement>, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let person = identity.person()?;
    let known = state.stores.workers.workers_for(person.user_id, false).await?;
    let names: HashMap<WorkerId, String> =
        known.into_iter().map(|view| (view.worker.worker_id, view.worker.machine_name)).collect();
    let visible = names.keys().copied().collect();
    let report = state.dispatcher.placement(task.head.number, visible).await?;
    let Some(report) = report else {
        return Ok(Json(Placement { summary: ended(&task, &names), ahead: None, candidates: Vec::new() }));
    };
    let mut summary = summary(&report, &names, state.dispatcher.is_swarm_paused());
    if let Some(entry) = &report.entry {
        summary = format!("{summary} {}", cascade(entry));
    }
    let mut candidates: Vec<_> = report.candidates.into_iter().map(candidate).collect();
    // Machines that are away are known to the store only.
    for (worker_id, machine_name) in names {
        if !candidates.iter().any(|candidate| candidate.worker_id == worker_id) {
            let reasons = vec!["the machine is offline".to_owned()];
            candidates.push(Candidate { worker_id, machine_name, eligible: false, score: None, reasons });
        }
    }
    Ok(Json(Placement { summary, ahead: report.ahead, candidates }))
}

fn ended(task: &StoredTask, names: &HashMap<WorkerId, String>) -> String {
    match task.row.worker_id.and_then(|worker| names.get(&worker)) {
        Some(machine) => format!("It has ended: {}, last on {machine}.", task.row.status),
        None => format!("It has ended: {}.", task.row.status),
    }
}

fn summary(report: &PlacementReport, names: &HashMap<WorkerId, String>, is_paused: bool) -> String {
    let name = |worker: WorkerId| names.get(&worker).map_or("a machine", String::as_str);
    match report.state {
        TaskState::Assigned { lease } => format!("Handed to {}, which has not answered yet.", name(lease.worker_id)),
        TaskState::Running { lease, .. } => format!("Running on {}.", name(lease.worker_id)),
        TaskState::Waiting { .. } if let Some(short) = &report.short => format!("Waits for a budget: {short}."),
        TaskState::Waiting { until: Some(until), reason } => format!("Waits for {} until {until}.", reason.as_str()),
        TaskState::Waiting { until: None, reason } => format!("Waits for {}.", reason.as_str()),
        TaskState::Completed | TaskState::Failed(_) | TaskState::Cancelled => "It has ended.".to_owned(),
        TaskState::Queued { .. } if is_paused => {
            "The swarm is paused; nothing is handed out until it is resumed.".to_owned()
        }
        TaskState::Queued { ready_at } if report.ahead.is_none() => {
            format!("Backs off after an attempt until {ready_at}.")
        }
        TaskState::Queued { .. } => queued(report),
    }
}

/// Where it stands in its cascade.
fn cascade(entry: &EntryReport) -> String {
    let mut text = format!("It is at entry {} of {}: {}.", entry.place, entry.of, entry.choice);
    for tried in &entry.tries {
        let choice = ModelChoice { tool: tried.tool.clone(), model: tried.model.clone() };
        let class = tried.class.map_or("passed over", FailureClass::as_str).replace('_', " ");
        // Writing to a String cannot fail.
        write!(text, " Before that, {choice}: {class} ({}).", tried.error).ok();
    }
    text
}

fn queued(report: &PlacementReport) -> String {
    let fits: Vec<_> = report.candidates.iter().filter(|candidate| candidate.obstacles.is_empty()).collect();
    match (fits.first(), report.candidates.first()) {
        (Some(best), _) => format!("{} is free and takes it when its turn comes.", best.machine_name),
        (None, None) => {
            "No machine is connected. Start one with `garageswarm worker run`, or `garageswarm up`.".to_owned()
        }
        (None, Some(_)) => {
            let busy =
                |candidate: &&CandidateReport| candidate.obstacles.iter().all(|reason| reason == "every slot is taken");
            match report.candidates.iter().find(busy) {
                Some(next) => format!("Waits for a free slot; {} fits and is busy.", next.machine_name),
                None => "No match: no connected machine can take it. Each says why.".to_owned(),
            }
        }
    }
}

fn candidate(report: CandidateReport) -> Candidate {
    let points = |thousandths: u32| thousandths as f32 / 1_000.0;
    Candidate {
        worker_id: report.worker_id,
        machine_name: report.machine_name,
        eligible: report.obstacles.is_empty(),
        score: report.score.map(|score| Score {
            r#match: points(score.matching),
            availability: points(score.availability),
            balance: points(score.balance),
            affinity: points(score.affinity),
            total: points(score.total()),
        }),
        reasons: report.obstacles,
    }
}
