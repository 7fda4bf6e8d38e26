//! Accounts: joining, signing in and out, oneself.

mod invitations;
mod link;
mod login;
mod logout;
mod me;
mod password;
mod refresh;
mod register;
mod sessions;
mod ticket;

use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use swarm_model::UserId;
use swarm_store::AuditEntry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::sessions::Opened;
use crate::extract::{ClientAddress, Json};
use crate::state::AppState;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login))
        .routes(routes!(link::exchange_link))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(me::me, me::update_profile))
        .routes(routes!(password::change_password))
        .routes(routes!(ticket::issue_ticket))
        .routes(routes!(invitations::list_invitations, invitations::invite))
        .routes(routes!(invitations::revoke_invitation))
        .routes(routes!(sessions::list_sessions, sessions::end_other_sessions))
        .routes(routes!(sessions::end_session))
}

/// The answer to signing in: the session, and for a browser its cookie.
fn answer(state: &AppState, opened: Opened, uri: &Uri, headers: &HeaderMap) -> Response {
    let cookie = opened.cookie.map(|(token, end)| state.auth.keep_refresh_token(token, end, uri, headers));
    (cookie.unwrap_or_default(), Json(opened.session)).into_response()
}

/// A line of the audit about somebody who is not signed in yet.
fn audit_of_stranger(state: &AppState, from: ClientAddress, action: &str, user: Option<UserId>) -> AuditEntry {
    let subject = user.map_or_else(|| "session".to_owned(), |user| format!("user:{user}"));
    AuditEntry {
        at: state.now(),
        actor: subject.clone(),
        action: action.to_owned(),
        subject,
        detail: None,
        from_address: Some(from.0.to_string()),
    }
}
