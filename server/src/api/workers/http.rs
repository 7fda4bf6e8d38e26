//! A worker that lives by HTTP alone: heartbeat, pull, report. The same board, the same commit, no socket.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use swarm_engine::WorkerProfile;
use swarm_model::rights::{Operation, Relation, WorkerRole};
use swarm_model::worker::{Capabilities, LeaseTerms, Pauses, ShareLimits};
use swarm_model::{SessionId, UserId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::worker::{Report, ReportReply};
use swarm_proto::workers::{Heartbeat, HeartbeatReply, PullTask, PulledTask};
use swarm_store::worker::{Grant, Seen, WorkerRecord};

use super::load;
use crate::auth::Identity;
use crate::dispatch::DispatchError;
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::state::AppState;

const MAX_WAIT: Duration = Duration::from_secs(30);

/// What the allocator must know of a worker.
pub(crate) async fn profile_of(
    state: &AppState,
    record: WorkerRecord,
    capabilities: Option<Capabilities>,
    paused_by_owner: bool,
    push: bool,
) -> Result<WorkerProfile, ApiError> {
    let grants = state.stores.workers.grants(record.worker_id).await?;
    let operators = operators(grants, record.owner);
    Ok(WorkerProfile {
        worker_id: record.worker_id,
        machine_name: record.machine_name,
        owner: record.owner,
        shared: record.shared,
        operators,
        capabilities: capabilities.unwrap_or(record.capabilities),
        pauses: Pauses { by_coordinator: record.paused, by_owner: paused_by_owner },
        draining: record.draining,
        push,
        terms: if push { LeaseTerms::SOCKET } else { LeaseTerms::HTTP },
    })
}

/// The people beside its owner who may send tasks to a worker.
pub(super) fn operators(grants: Vec<Grant>, owner: UserId) -> BTreeMap<UserId, ShareLimits> {
    let may_send = |role: WorkerRole| matches!(role, WorkerRole::Operator | WorkerRole::Owner);
    let counts = |grant: &Grant| grant.is_active && may_send(grant.role) && grant.user_id != owner;
    grants.into_iter().filter(counts).map(|grant| (grant.user_id, grant.limits)).collect()
}

/// Say that the worker lives and what it works on. The first one joins; each prolongs the leases.
#[utoipa::path(post, path = "/workers/{id}/heartbeat", tag = "workers", params(("id" = WorkerId, Path)),
    request_body = Heartbeat, responses((status = 200, body = HeartbeatReply)))]
pub(super) async fn heartbeat(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Json(beat): Json<Heartbeat>,
) -> Result<Json<HeartbeatReply>, ApiError> {
    let (record, _) = load(&state, &identity, Operation::ActAsWorker, id).await?;
    if let Some(capabilities) = &beat.capabilities {
        let seen =
            Seen { worker_id: id, at: state.clock.now(), load: beat.load, capabilities: Some(capabilities.clone()) };
        state.stores.workers.save_seen(&[seen]).await?;
        state.dispatcher.set_capabilities(id, capabilities.clone()).await;
    }
    let answer = state.dispatcher.heartbeat(id, beat.load, beat.running.clone()).await;
    let (stale, cancel, paused) = match answer {
        Ok(report) => (report.stale, report.cancel, report.paused),
        Err(DispatchError::UnknownWorker) => {
            let profile = profile_of(&state, record, beat.capabilities, beat.paused_by_owner, false).await?;
            let session = state.new_id(SessionId::new);
            let reply = state.dispatcher.join(profile, session, beat.running, None).await?;
            (reply.joined.stale, reply.joined.cancel, reply.paused)
        }
        Err(error) => return Err(error.into()),
    };
    let pauses = state.dispatcher.live().get(id).map(|view| view.profile.pauses);
    if pauses.is_some_and(|pauses| pauses.by_owner != beat.paused_by_owner) {
        state.dispatcher.set_pause(id, true, beat.paused_by_owner).await?;
    }
    Ok(Json(HeartbeatReply { terms: LeaseTerms::HTTP, cancel, stale, paused }))
}

/// Ask for one task. Asking again gives the same one until it is accepted or refused. Send a heartbeat first.
#[utoipa::path(get, path = "/workers/{id}/pull-task", tag = "workers", params(("id" = WorkerId, Path), PullTask),
    responses((status = 200, body = PulledTask)))]
pub(super) async fn pull_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Query(query): Query<PullTask>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<PulledTask>), ApiError> {
    load(&state, &identity, Operation::ActAsWorker, id).await?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut task = state.dispatcher.pull(id).await?;
    let wait = Duration::from_millis(query.wait_ms).min(MAX_WAIT);
    let pulled = tokio::select! {
        biased;
        answer = &mut task => answer.ok(),
        () = tokio::time::sleep(wait) => None,
        () = state.shutdown.cancelled() => None,
    };
    // A task that came in the last moment is the one that the next pull gives again.
    let pulled = pulled.or_else(|| task.try_recv().ok());
    if pulled.is_none() {
        drop(task);
        state.dispatcher.end_pull(id).await;
    }
    Ok((no_store, Json(PulledTask { task: pulled })))
}

/// Report acceptance, log lines, progress, refusals and results. Everything in one report is stored together;
/// the answer comes when it is. Sent again, it changes nothing.
#[utoipa::path(post, path = "/workers/{id}/report", tag = "workers", params(("id" = WorkerId, Path)),
    request_body = Report, responses((status = 200, body = ReportReply)))]
pub(super) async fn report(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Json(report): Json<Report>,
) -> Result<Json<ReportReply>, ApiError> {
    // A rights check without a query: this is the hot path.
    let relation = if identity.worker() == Some(id) { Relation::Own } else { Relation::None };
    identity.require(Operation::ActAsWorker, relation)?;
    super::artifacts::check_report(&report)?;
    if let Some(pause) = state.quotas.log_pause(id, &report) {
        let detail =
            "This worker sends log lines faster than this coordinator takes them (limits.log_bytes_per_second).";
        return Err(ApiError::new(ErrorCode::TooManyRequests, detail).retry_after(pause));
    }
    Ok(Json(state.dispatcher.report(id, report).await?))
}
