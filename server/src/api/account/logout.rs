//! Signing out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use swarm_model::TokenId;
use swarm_model::rights::Operation;
use swarm_store::TokenHash;
use swarm_store::token::Credential;

use super::audit_of_stranger;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

/// End this session: its tokens are good for nothing afterwards. A browser whose access token has run out is
/// known by its cookie.
#[utoipa::path(post, path = "/auth/logout", tag = "account", responses((status = 204)))]
pub(super) async fn logout(
    State(state): State<AppState>,
    identity: Result<Identity, ApiError>,
    from: ClientAddress,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let signed_in = identity.as_ref().map(|identity| (identity, identity.signed_in()));
    let session = if let Ok((identity, Ok((person, session)))) = signed_in {
        identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
        Some((session, identity.audit(&state, "signed_out", format!("token:{session}"))))
    } else {
        let session = by_cookie(&state, &headers).await?;
        session.map(|session| (session, audit_of_stranger(&state, from, "signed_out", None)))
    };
    let (session, audit) = session.ok_or_else(ApiError::unauthenticated)?;
    let revoked = state.stores.tokens.revoke_token(session, &audit).await?;
    state.end_credentials(&revoked).await;
    Ok((StatusCode::NO_CONTENT, state.auth.drop_refresh_token(&uri, &headers)).into_response())
}

async fn by_cookie(state: &AppState, headers: &HeaderMap) -> Result<Option<TokenId>, ApiError> {
    let Some(token) = state.auth.refresh_token(headers) else { return Ok(None) };
    let credential = state.stores.tokens.credential(&TokenHash::of(&token), state.now()).await?;
    Ok(match credential {
        Some(Credential::Token(token)) => Some(token.token_id),
        Some(Credential::Key(_)) | None => None,
    })
}
