//! Going on with a browser's session.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use swarm_proto::ErrorCode;
use swarm_proto::auth::Session;

use super::{answer, audit_of_stranger};
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

/// Renew a browser's access token by its cookie, which is replaced with that. A cookie that was spent long ago
/// ends its session: somebody else may have it.
#[utoipa::path(post, path = "/auth/refresh", tag = "account", responses((status = 200, body = Session)))]
pub(super) async fn refresh(
    State(state): State<AppState>,
    from: ClientAddress,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = state.auth.refresh_token(&headers).ok_or_else(ApiError::unauthenticated)?;
    let reuse = audit_of_stranger(&state, from, "refresh_token_reused", None);
    match state.renew_session(&token, &reuse).await {
        Ok(opened) => Ok(answer(&state, opened, &uri, &headers)),
        // The cookie is of no use any more; an outage of the store says nothing about it.
        Err(error) if error.code() == ErrorCode::SpentCredential => {
            Ok((state.auth.drop_refresh_token(&uri, &headers), error).into_response())
        }
        Err(error) => Err(error),
    }
}
