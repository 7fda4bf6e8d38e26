//! Signing in with a link, which works once.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use swarm_proto::auth::{ExchangeLink, Session};

use super::login::session_name;
use super::{answer, audit_of_stranger};
use crate::error::ApiError;
use crate::extract::{ClientAddress, Device, Json};
use crate::state::AppState;
use crate::telemetry::count_sign_in;

/// Exchange the token of a sign-in link for a session. The link works once, for 10 minutes.
#[utoipa::path(post, path = "/auth/link", tag = "account", request_body = ExchangeLink, responses((status = 200, body = Session)))]
pub(super) async fn exchange_link(
    State(state): State<AppState>,
    from: ClientAddress,
    Device(device): Device,
    uri: Uri,
    headers: HeaderMap,
    Json(ExchangeLink { token, kind }): Json<ExchangeLink>,
) -> Result<Response, ApiError> {
    state.auth.limits().secret(from)?;
    let audit = audit_of_stranger(&state, from, "signed_in_by_link", None);
    let opened = state.open_linked_session(&token, kind, session_name(kind, device), &audit).await;
    count_sign_in("link", if opened.is_ok() { "ok" } else { "refused" });
    Ok(answer(&state, opened?, &uri, &headers))
}
