//! Enrolling a machine with a worker key.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::{GrantId, TokenId, WorkerId};
use swarm_proto::workers::{RegisterWorker, RegisteredWorker};
use swarm_store::token::{NewToken, TokenKind};
use swarm_store::worker::Registration;

use crate::auth::Identity;
use crate::auth::secret::{Issued, Purpose, issue};
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// Characters of a machine's name and id.
const MAX_NAME: usize = 128;

/// Enrol a machine. Send a worker key as bearer token; the answer has the worker's own credential, shown once.
/// The same `machine_id` with a key of the same person finds the same worker again.
#[utoipa::path(post, path = "/workers/register", tag = "workers", request_body = RegisterWorker,
    responses((status = 201, body = RegisteredWorker)))]
pub(super) async fn register_worker(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<RegisterWorker>,
) -> Result<(StatusCode, Json<RegisteredWorker>), ApiError> {
    let key = identity.worker_key()?;
    check_name(&wish.machine_id)?;
    check_name(&wish.machine_name)?;
    let known = state.stores.workers.worker_of_machine(key.user_id, &wish.machine_id).await?;
    let worker_id = known.unwrap_or_else(|| state.new_id(WorkerId::new));
    let Issued { secret, hash } = issue(Purpose::Worker);
    let credential = NewToken {
        token_id: state.new_id(TokenId::new),
        kind: TokenKind::Worker,
        user_id: key.user_id,
        worker_id: Some(worker_id),
        key_id: Some(key.key_id),
        name: wish.machine_name.clone(),
        hash,
        scopes: Vec::new(),
        expires_at: None,
    };
    let registration = Registration {
        worker_id,
        machine_id: wish.machine_id,
        machine_name: wish.machine_name,
        owner: key.user_id,
        key: Some(key.key_id),
        capabilities: wish.capabilities,
        shared: false,
        grant_id: state.new_id(GrantId::new),
        credential,
    };
    let audit = identity.audit(&state, "worker_registered", format!("worker:{worker_id}"));
    let revoked = state.stores.workers.register(&registration, &audit).await?;
    // An older credential of the same machine ends here, and so does its socket; its owner has a role on it now.
    state.end_credentials(&revoked).await;
    Ok((StatusCode::CREATED, Json(RegisteredWorker { worker_id, credential: secret })))
}

/// Whether people can read a machine's name or id.
pub(super) fn check_name(text: &str) -> Result<(), ApiError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(ApiError::invalid(format!("machine_id and machine_name hold 1 to {MAX_NAME} printable characters")))
}
