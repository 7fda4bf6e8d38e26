//! What people do with workers.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::WorkerId;
use swarm_model::rights::{Operation, Relation};
use swarm_proto::Page;
use swarm_proto::workers::Worker;

use super::{load, to_wire};
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// The workers that you have a role on or that are shared, by name; an admin sees all.
#[utoipa::path(get, path = "/workers", tag = "workers", responses((status = 200, body = Page<Worker>)))]
pub(super) async fn list_workers(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<Json<Page<Worker>>, ApiError> {
    let person = identity.person()?;
    let all = identity.allows(Operation::ReadWorker, Relation::None);
    let found = state.stores.workers.workers_for(person.user_id, all).await?;
    let live = state.dispatcher.live();
    let workers = found.into_iter().map(|view| to_wire(view.worker, view.role, live));
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
    let (record, relation) = load(state, identity, Operation::ReadWorker, id).await?;
    let role = match relation {
        Relation::OnWorker(role) => Some(role),
        Relation::None | Relation::Own | Relation::SharedWorker => None,
    };
    Ok(Json(to_wire(record, role, state.dispatcher.live())))
}
