//! People, for admins: who is there, their roles, letting them go and letting them in again.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;
use swarm_model::rights::{Operation, Relation};
use swarm_model::{KeyId, UserId};
use swarm_proto::ErrorCode;
use swarm_proto::auth::{ChangeUser, PasswordReset, User};
use swarm_store::people::{UserChange, UserRecord};
use swarm_store::token::{Revoked, RevokedToken};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::auth::sessions::shown;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// How long somebody may take to follow the link by which they set a new password.
const RESET_LIFE: Duration = Duration::from_hours(24);

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_users)).routes(routes!(change_user)).routes(routes!(reset_password))
}

/// Everybody, by name.
#[utoipa::path(get, path = "/users", tag = "people", responses((status = 200, body = Vec<User>)))]
async fn list_users(State(state): State<AppState>, identity: Identity) -> Result<Json<Vec<User>>, ApiError> {
    identity.require(Operation::ListPeople, Relation::None)?;
    Ok(Json(state.stores.people.users().await?.into_iter().map(shown).collect()))
}

/// Change somebody's role, deactivate them or let them in again. Deactivating ends their sessions, sockets, keys and
/// the machines that those enrolled at once, and cancels what they submitted. The last admin stays.
#[utoipa::path(put, path = "/users/{id}", tag = "people", params(("id" = UserId, Path)), request_body = ChangeUser, responses((status = 200, body = User)))]
async fn change_user(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<UserId>,
    Json(wish): Json<ChangeUser>,
) -> Result<Json<User>, ApiError> {
    identity.require(Operation::ManagePeople, Relation::None)?;
    let before = named(&state, id).await?;
    let change = UserChange {
        role: wish.role.filter(|role| *role != before.role),
        is_active: wish.is_active.filter(|active| *active != before.is_active),
        ..UserChange::default()
    };
    if change != UserChange::default() {
        let action = match change.is_active {
            Some(true) => "user_activated",
            Some(false) => "user_deactivated",
            None => "user_role_changed",
        };
        let mut audit = identity.audit(&state, action, format!("user:{id}"));
        audit.detail = Some(json!({
            "before": { "role": before.role, "is_active": before.is_active },
            "after": { "role": change.role.unwrap_or(before.role), "is_active": change.is_active.unwrap_or(before.is_active) },
        }));
        let revoked = state.stores.people.update_user(id, &change, &audit).await?;
        state.end_credentials(&revoked).await;
        if change.role.is_some() {
            // What is open was opened with other rights: it comes back with those of now.
            state.auth.credentials_ended(&everything_open(&state, id).await?);
        }
        if change.is_active == Some(false) {
            state.dispatcher.cancel_all_of(id).await?;
        }
    }
    Ok(Json(shown(named(&state, id).await?)))
}

/// Take somebody's password away, which ends their sessions, and get a link by which they set a new one: once, within
/// 24 hours. Hand it to them yourself: whoever has it is them.
#[utoipa::path(post, path = "/users/{id}/reset-password", tag = "people", params(("id" = UserId, Path)), responses((status = 200, body = PasswordReset)))]
async fn reset_password(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<UserId>,
) -> Result<Json<PasswordReset>, ApiError> {
    identity.require(Operation::ManagePeople, Relation::None)?;
    let user = named(&state, id).await?;
    if !user.is_active {
        return Err(ApiError::new(ErrorCode::Conflict, "This account is deactivated: let them in again first."));
    }
    let change = UserChange { password_hash: Some(None), ..UserChange::default() };
    let audit = identity.audit(&state, "password_reset", format!("user:{id}"));
    let revoked = state.stores.people.update_user(id, &change, &audit).await?;
    state.end_credentials(&revoked).await;
    let expires_at = state.now() + RESET_LIFE;
    let audit = identity.audit(&state, "sign_in_link_created", format!("user:{id}"));
    let secret = state.issue_link(id, "link after a password reset", expires_at, &audit).await?;
    let link = format!("{}/signin#{secret}", state.outward_url());
    Ok(Json(PasswordReset { link, expires_at }))
}

async fn named(state: &AppState, id: UserId) -> Result<UserRecord, ApiError> {
    state.stores.people.user(id).await?.ok_or_else(|| ApiError::not_found("user"))
}

/// The credentials of a person that may have sockets open.
async fn everything_open(state: &AppState, user: UserId) -> Result<Revoked, ApiError> {
    let tokens = state.stores.tokens.tokens_of(user, state.now()).await?;
    let sessions = tokens.into_iter().filter(|token| token.worker_id.is_none());
    let keys: Vec<KeyId> = state.stores.tokens.keys(Some(user)).await?.into_iter().map(|key| key.key_id).collect();
    let tokens = sessions.map(|token| RevokedToken { token_id: token.token_id, user_id: user, worker_id: None });
    Ok(Revoked { tokens: tokens.collect(), keys })
}
