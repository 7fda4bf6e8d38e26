//! Workers: what people see and steer, and how a worker lives by HTTP alone.

mod artifacts;
mod enrol;
mod http;
mod invite;
mod people;
mod runs;
mod shares;
mod wire;

use swarm_model::rights::{Operation, Relation};
use swarm_model::{UserId, WorkerId};
use swarm_store::worker::WorkerRecord;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::state::AppState;

pub(crate) use artifacts::check_report;
pub(crate) use http::profile_of;
pub(super) use people::list_workers;
pub(crate) use shares::check_share;
pub(crate) use wire::to_wire;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(people::list_workers))
        .routes(routes!(enrol::register_worker))
        .routes(routes!(invite::invite_worker))
        .routes(routes!(people::get_worker, people::change_worker, people::remove_worker))
        .routes(routes!(shares::list_shares, shares::share_worker))
        .routes(routes!(shares::unshare_worker))
        .routes(routes!(runs::list_runs))
        .routes(routes!(people::pause_worker))
        .routes(routes!(people::resume_worker))
        .routes(routes!(people::drain_worker))
        .routes(routes!(http::heartbeat))
        .routes(routes!(http::pull_task))
        .routes(routes!(http::report))
        .routes(routes!(artifacts::upload_artifact))
}

/// How the asker stands to a worker.
pub(crate) async fn relation_to(state: &AppState, identity: &Identity, worker: WorkerId) -> Result<Relation, ApiError> {
    if identity.worker() == Some(worker) {
        return Ok(Relation::Own);
    }
    let Ok(person) = identity.person() else { return Ok(Relation::None) };
    relation_of(state, person.user_id, worker).await
}

async fn relation_of(state: &AppState, user: UserId, worker: WorkerId) -> Result<Relation, ApiError> {
    if let Some(known) = state.auth.known_relation(user, worker) {
        return Ok(known);
    }
    let generation = state.auth.generation();
    let relation = read_relation(state, user, worker).await?;
    state.auth.keep_relation(user, worker, generation, relation);
    Ok(relation)
}

async fn read_relation(state: &AppState, user: UserId, worker: WorkerId) -> Result<Relation, ApiError> {
    if let Some(role) = state.stores.workers.role_of(user, worker).await? {
        return Ok(Relation::OnWorker(role));
    }
    let record = state.stores.workers.worker(worker).await?;
    let shared = record.is_some_and(|record| record.shared && record.removed_at.is_none());
    Ok(if shared { Relation::SharedWorker } else { Relation::None })
}

/// A worker that was not removed, if the asker may do `operation` with it.
pub(crate) async fn load(
    state: &AppState,
    identity: &Identity,
    operation: Operation,
    worker: WorkerId,
) -> Result<(WorkerRecord, Relation), ApiError> {
    identity.require_known()?;
    let relation = relation_to(state, identity, worker).await?;
    identity.require(operation, relation)?;
    let record = state.stores.workers.worker(worker).await?.filter(|record| record.removed_at.is_none());
    let record = record.ok_or_else(|| ApiError::not_found("worker"))?;
    Ok((record, relation))
}
