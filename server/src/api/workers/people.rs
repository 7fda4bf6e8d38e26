//! What people do with workers.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use swarm_model::rights::{Operation, Relation};
use swarm_model::{UserId, WorkerId};
use swarm_proto::Page;
use swarm_proto::workers::{ChangeWorker, Worker};

use super::enrol::check_name;
use super::{load, shares, to_wire};
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// The workers that you have a role on or that are shared, by name; an admin sees all.
#[utoipa::path(get, path = "/workers", tag = "workers", responses((status = 200, body = Page<Worker>)))]
pub(in crate::api) async fn list_workers(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<Json<Page<Worker>>, ApiError> {
    let person = identity.person()?;
    // Everybody may see some: those they have a role on, and those that are shared.
    identity.require(Operation::ReadWorker, Relation::SharedWorker)?;
    let all = identity.allows(Operation::ReadWorker, Relation::None);
    let found = state.stores.workers.workers_for(person.user_id, all).await?;
    let live = state.dispatcher.live();
    let workers = found.into_iter().map(|view| to_wire(view.worker, view.role, person.user_id, live));
    Ok(Json(Page::whole(workers.collect())))
}

/// One worker.
#[utoipa::path(get, path = "/workers/{id}", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 200, body = Worker)))]
pub(super) async fn get_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, ApiError> {
    read(&state, &identity, id).await
}

/// Stop handing tasks to a worker; what runs goes on. The pause of the machine's owner is another one.
#[utoipa::path(post, path = "/workers/{id}/pause", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 200, body = Worker)))]
pub(super) async fn pause_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, ApiError> {
    set_pause(&state, &identity, id, true).await
}

/// Lift the coordinator's pause, and end a drain.
#[utoipa::path(post, path = "/workers/{id}/resume", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 200, body = Worker)))]
pub(super) async fn resume_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, ApiError> {
    let (record, _) = load(&state, &identity, Operation::SteerWorker, id).await?;
    if record.draining {
        let audit = identity.audit(&state, "worker_drain_ended", format!("worker:{id}"));
        state.stores.workers.set_drain(id, false, &audit).await?;
    }
    state.dispatcher.set_draining(id, false).await?;
    set_pause(&state, &identity, id, false).await
}

/// Let a worker finish what it has; nothing new comes until it is resumed.
#[utoipa::path(post, path = "/workers/{id}/drain", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 200, body = Worker)))]
pub(super) async fn drain_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<Json<Worker>, ApiError> {
    load(&state, &identity, Operation::SteerWorker, id).await?;
    let audit = identity.audit(&state, "worker_drained", format!("worker:{id}"));
    state.stores.workers.set_drain(id, true, &audit).await?;
    state.dispatcher.set_draining(id, true).await?;
    read(&state, &identity, id).await
}

/// Rename your worker, or open it to everyone: then anybody may send tasks to it, as far as the machine grants its
/// tools to everyone.
#[utoipa::path(put, path = "/workers/{id}", tag = "workers", params(("id" = WorkerId, Path)), request_body = ChangeWorker, responses((status = 200, body = Worker)))]
pub(super) async fn change_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Json(change): Json<ChangeWorker>,
) -> Result<Json<Worker>, ApiError> {
    let (record, _) = load(&state, &identity, Operation::ManageWorker, id).await?;
    let subject = format!("worker:{id}");
    if let Some(name) = change.machine_name.filter(|name| *name != record.machine_name) {
        check_name(&name)?;
        let mut audit = identity.audit(&state, "worker_renamed", subject.clone());
        audit.detail = Some(json!({ "before": record.machine_name, "after": name }));
        state.stores.workers.rename(id, &name, &audit).await?;
    }
    if let Some(shared) = change.shared.filter(|shared| *shared != record.shared) {
        let action = if shared { "worker_opened_to_everyone" } else { "worker_closed_to_everyone" };
        state.stores.workers.set_shared(id, shared, &identity.audit(&state, action, subject)).await?;
    }
    shares::apply(&state, id).await?;
    read(&state, &identity, id).await
}

/// Take a worker out: its credential ends, its socket closes, what it ran goes elsewhere.
#[utoipa::path(delete, path = "/workers/{id}", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 204)))]
pub(super) async fn remove_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<StatusCode, ApiError> {
    load(&state, &identity, Operation::ManageWorker, id).await?;
    let audit = identity.audit(&state, "worker_removed", format!("worker:{id}"));
    let revoked = state.stores.workers.remove(id, &audit).await?;
    state.end_credentials(&revoked).await;
    state.auth.rights_changed();
    state.dispatcher.remove(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_pause(
    state: &AppState,
    identity: &Identity,
    id: WorkerId,
    paused: bool,
) -> Result<Json<Worker>, ApiError> {
    load(state, identity, Operation::SteerWorker, id).await?;
    let action = if paused { "worker_paused" } else { "worker_resumed" };
    let audit = identity.audit(state, action, format!("worker:{id}"));
    state.stores.workers.set_pause(id, paused, &audit).await?;
    state.dispatcher.set_pause(id, false, paused).await?;
    read(state, identity, id).await
}

async fn read(state: &AppState, identity: &Identity, id: WorkerId) -> Result<Json<Worker>, ApiError> {
    // A worker that looks at itself is told what its owner set it up to do.
    let viewer = identity.person().map_or(UserId::from_uuid(uuid::Uuid::nil()), |person| person.user_id);
    let (record, relation) = load(state, identity, Operation::ReadWorker, id).await?;
    let role = match relation {
        Relation::OnWorker(role) => Some(role),
        Relation::None | Relation::Own | Relation::SharedWorker => None,
    };
    Ok(Json(to_wire(record, role, viewer, state.dispatcher.live())))
}
