//! Signing in with name and password.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use swarm_proto::ErrorCode;
use swarm_proto::auth::{Login, Session, SessionKind};

use super::{answer, audit_of_stranger};
use crate::error::ApiError;
use crate::extract::{ClientAddress, Device, Json};
use crate::state::AppState;
use crate::telemetry::count_sign_in;

/// Sign in. A browser gets an access token for 15 minutes and a cookie that renews it; a command line (`"kind":
/// "cli"`) gets one token that lasts.
#[utoipa::path(post, path = "/auth/login", tag = "account", request_body = Login, responses((status = 200, body = Session)))]
pub(super) async fn login(
    State(state): State<AppState>,
    from: ClientAddress,
    Device(device): Device,
    uri: Uri,
    headers: HeaderMap,
    Json(Login { username, password, kind }): Json<Login>,
) -> Result<Response, ApiError> {
    state.auth.limits().password(&username, from)?;
    let user = state.stores.people.user_by_name(&username).await?;
    // A name that nobody has takes as long as a wrong password, and is answered alike.
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let is_right = state.auth.passwords().verify(password, hash, state.auth.limits().visitor(from)).await?;
    let Some(user) = user.filter(|_| is_right) else {
        count_sign_in("password", "wrong");
        return Err(ApiError::new(
            ErrorCode::WrongPassword,
            "Name and password do not match. Check both and try again.",
        ));
    };
    if !user.is_active {
        count_sign_in("password", "deactivated");
        return Err(ApiError::new(ErrorCode::Forbidden, "This account is deactivated: ask an admin."));
    }
    state.auth.limits().came_in(from);
    let name = session_name(kind, device);
    let audit = audit_of_stranger(&state, from, "signed_in", Some(user.user_id));
    let opened = state.open_session(user, kind, name, &audit).await?;
    count_sign_in("password", "ok");
    Ok(answer(&state, opened, &uri, &headers))
}

/// What people see in their list of sessions.
pub(super) fn session_name(kind: SessionKind, device: String) -> String {
    match kind {
        SessionKind::Browser => device,
        SessionKind::Cli => format!("command line ({device})"),
    }
}
