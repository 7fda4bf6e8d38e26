//! Where one is signed in.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::TokenId;
use swarm_model::rights::Operation;
use swarm_proto::auth::{OpenSession, SessionKind};
use swarm_store::token::{TokenKind, TokenRecord};

use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Where you are signed in, the newest first.
#[utoipa::path(get, path = "/auth/sessions", tag = "account", responses((status = 200, body = Vec<OpenSession>)))]
pub(super) async fn list_sessions(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<Json<Vec<OpenSession>>, ApiError> {
    let (person, current) = identity.signed_in()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    let tokens = state.stores.tokens.tokens_of(person.user_id, state.now()).await?;
    Ok(Json(tokens.into_iter().filter_map(|token| to_wire(token, current)).collect()))
}

/// End every session of yours but this one.
#[utoipa::path(delete, path = "/auth/sessions", tag = "account", responses((status = 204)))]
pub(super) async fn end_other_sessions(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<StatusCode, ApiError> {
    let (person, current) = identity.signed_in()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    let audit = identity.audit(&state, "other_sessions_ended", format!("user:{}", person.user_id));
    let revoked = state.stores.tokens.revoke_sessions(person.user_id, Some(current), &audit).await?;
    state.end_credentials(&revoked).await;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of your sessions.
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "account", params(("id" = TokenId, Path)), responses((status = 204)))]
pub(super) async fn end_session(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<TokenId>,
) -> Result<StatusCode, ApiError> {
    let (person, current) = identity.signed_in()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    let tokens = state.stores.tokens.tokens_of(person.user_id, state.now()).await?;
    let named = tokens.into_iter().find(|token| token.token_id == id).and_then(|token| to_wire(token, current));
    named.ok_or_else(|| ApiError::not_found("session"))?;
    let audit = identity.audit(&state, "session_ended", format!("token:{id}"));
    let revoked = state.stores.tokens.revoke_token(id, &audit).await?;
    state.end_credentials(&revoked).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A session; `None` for tokens that are something else.
fn to_wire(token: TokenRecord, current: TokenId) -> Option<OpenSession> {
    let kind = match token.kind {
        TokenKind::Session => SessionKind::Browser,
        TokenKind::Cli => SessionKind::Cli,
        TokenKind::Worker | TokenKind::SignIn => return None,
    };
    Some(OpenSession {
        session_id: token.token_id,
        kind,
        name: token.name,
        is_current: token.token_id == current,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
    })
}
