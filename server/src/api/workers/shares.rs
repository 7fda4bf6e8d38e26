//! Sharing a worker: who has which role on it, and within which bounds.
//!
//! The machine decides last: what its owner did not grant there is not handed out, whatever stands here.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use swarm_engine::WorkerView;
use swarm_model::rights::{Operation, WorkerRole};
use swarm_model::task::{Queue, TaskSpec};
use swarm_model::worker::{ShareLimits, ToolGrant};
use swarm_model::{GrantId, UserId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::workers::{Share, ShareWorker};
use swarm_store::worker::{Grant, NewGrant, WorkerRecord};

use super::http::operators;
use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

const MAX_SLOTS: u32 = 1024;

/// Who has which role on your worker, and within which bounds.
#[utoipa::path(get, path = "/workers/{id}/shares", tag = "workers", params(("id" = WorkerId, Path)), responses((status = 200, body = Vec<Share>)))]
pub(super) async fn list_shares(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
) -> Result<Json<Vec<Share>>, ApiError> {
    let (record, _) = load(&state, &identity, Operation::ManageWorker, id).await?;
    let mut shares = Vec::new();
    for grant in state.stores.workers.grants(id).await?.into_iter().filter(|grant| grant.is_active) {
        shares.extend(to_wire(&state, &record, grant).await?);
    }
    Ok(Json(shares))
}

/// Give somebody a role on your worker, with its own tools and slots, in place of an earlier one.
#[utoipa::path(post, path = "/workers/{id}/shares", tag = "workers", params(("id" = WorkerId, Path)), request_body = ShareWorker, responses((status = 200, body = Share)))]
pub(super) async fn share_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Json(wish): Json<ShareWorker>,
) -> Result<Json<Share>, ApiError> {
    let (record, _) = load(&state, &identity, Operation::ManageWorker, id).await?;
    if wish.slots.is_some_and(|slots| !(1..=MAX_SLOTS).contains(&slots)) {
        return Err(ApiError::invalid(format!("slots is 1 to {MAX_SLOTS}")));
    }
    if wish.tools.as_ref().is_some_and(std::collections::BTreeSet::is_empty) {
        return Err(ApiError::invalid("tools is empty: name at least one, or leave it out for every tool"));
    }
    let user = state.stores.people.user_by_name(&wish.username).await?.filter(|user| user.is_active);
    let user =
        user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "Nobody here has this name: an admin invites people."))?;
    if user.user_id == record.owner {
        return Err(ApiError::invalid("the worker belongs to this person: there is nothing to share"));
    }
    let before = state.stores.workers.role_of(user.user_id, id).await?;
    let grant = NewGrant {
        grant_id: state.new_id(GrantId::new),
        user_id: user.user_id,
        worker_id: id,
        role: wish.role.unwrap_or(WorkerRole::Operator),
        limits: ShareLimits { tools: wish.tools, slots: wish.slots },
    };
    let mut audit = identity.audit(&state, "worker_shared", format!("worker:{id}"));
    audit.detail = Some(json!({ "user": user.user_id, "before": before, "role": grant.role, "limits": grant.limits }));
    state.stores.workers.grant(&grant, &audit).await?;
    apply(&state, id).await?;
    let kept = state.stores.workers.grants(id).await?.into_iter().find(|kept| kept.user_id == user.user_id);
    let kept = kept.ok_or_else(|| ApiError::internal("a new share is missing"))?;
    Ok(Json(to_wire(&state, &record, kept).await?.ok_or_else(|| ApiError::not_found("user"))?))
}

/// End somebody's role on your worker. What they run there goes back to its queue.
#[utoipa::path(delete, path = "/workers/{id}/shares/{user_id}", tag = "workers", params(("id" = WorkerId, Path), ("user_id" = UserId, Path)), responses((status = 204)))]
pub(super) async fn unshare_worker(
    State(state): State<AppState>,
    identity: Identity,
    Path((id, user_id)): Path<(WorkerId, UserId)>,
) -> Result<StatusCode, ApiError> {
    let (record, _) = load(&state, &identity, Operation::ManageWorker, id).await?;
    if user_id == record.owner {
        return Err(ApiError::new(ErrorCode::Conflict, "A worker keeps its owner: remove it, and it joins anew."));
    }
    let before = state.stores.workers.role_of(user_id, id).await?;
    let mut audit = identity.audit(&state, "worker_unshared", format!("worker:{id}"));
    audit.detail = Some(json!({ "user": user_id, "before": before }));
    state.stores.workers.revoke_grant(user_id, id, &audit).await?;
    apply(&state, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Carries a committed change of a worker's people or name to whoever decides by it.
pub(super) async fn apply(state: &AppState, worker: WorkerId) -> Result<(), ApiError> {
    state.auth.rights_changed();
    let record = state.stores.workers.worker(worker).await?.ok_or_else(|| ApiError::not_found("worker"))?;
    let operators = operators(state.stores.workers.grants(worker).await?, record.owner);
    state.dispatcher.set_people(worker, record.machine_name, record.shared, operators).await?;
    Ok(())
}

/// A share with the name of its person; none where they are gone.
async fn to_wire(state: &AppState, record: &WorkerRecord, grant: Grant) -> Result<Option<Share>, ApiError> {
    let Some(user) = state.stores.people.user(grant.user_id).await? else { return Ok(None) };
    let live = state.dispatcher.live().get(record.worker_id);
    let told = live.as_ref().map_or(&record.capabilities.grants, |live| &live.profile.capabilities.grants);
    let is_theirs = |told: &&ToolGrant| told.user_id.is_none_or(|of| of == grant.user_id);
    Ok(Some(Share {
        user_id: grant.user_id,
        username: user.username,
        role: grant.role,
        limits: grant.limits,
        added_at: grant.added_at,
        granted: told.iter().filter(is_theirs).cloned().collect(),
    }))
}

/// Refuses at once a tool that the machine which a task names does not share with its user: the task would wait for
/// ever. Of a machine that is away nothing is known, and the task waits for it.
pub(crate) fn check_share(live: Option<&WorkerView>, user: UserId, spec: &TaskSpec) -> Result<(), ApiError> {
    let (Queue::Worker { .. }, Some(tool), Some(view)) = (spec.queue, &spec.tool, live) else { return Ok(()) };
    if view.profile.may_use(user, tool) {
        return Ok(());
    }
    let tools = &view.profile.capabilities.tools;
    let shared: Vec<_> =
        tools.iter().filter(|info| view.profile.may_use(user, &info.name)).map(|info| info.name.as_str()).collect();
    let machine = &view.profile.machine_name;
    let rest = if shared.is_empty() {
        "shares no tool with you".to_owned()
    } else {
        format!("shares with you: {}", shared.join(", "))
    };
    Err(ApiError::new(
        ErrorCode::Forbidden,
        format!("You may not use {tool} on {machine}. Its owner {rest}. Ask them, or leave the machine to us."),
    ))
}
