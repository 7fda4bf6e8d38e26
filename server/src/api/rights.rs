//! Which right each route needs: what its handler asks the table of rights for, as the document tells it.
//!
//! Strangers are refused by this list before anything of a body is read; everything finer is the handler's, who
//! knows the thing that is asked about. A route without a line here, and a line without a route, fail a test.

use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use swarm_model::rights::{Asker, Operation, Relation, allows};
use swarm_proto::API_PREFIX;

use crate::auth::Identity;
use crate::state::AppState;

/// Method, path below the prefix, and the operation.
pub(super) const NEEDED: &[(&str, &str, Operation)] = &[
    ("post", "/auth/register", Operation::Register),
    ("post", "/auth/login", Operation::SignIn),
    ("post", "/auth/link", Operation::SignIn),
    ("post", "/auth/refresh", Operation::SignIn),
    // Like renewing: the cookie is enough where the access token has run out.
    ("post", "/auth/logout", Operation::SignIn),
    ("get", "/auth/me", Operation::ReadSelf),
    ("put", "/auth/me", Operation::ManageSelf),
    ("post", "/auth/change-password", Operation::ManageSelf),
    ("post", "/auth/ticket", Operation::WatchEvents),
    ("get", "/auth/invitations", Operation::InvitePeople),
    ("post", "/auth/invitations", Operation::InvitePeople),
    ("delete", "/auth/invitations/{id}", Operation::InvitePeople),
    ("get", "/auth/sessions", Operation::ManageSelf),
    ("delete", "/auth/sessions", Operation::ManageSelf),
    ("delete", "/auth/sessions/{id}", Operation::ManageSelf),
    ("get", "/users", Operation::ListPeople),
    ("put", "/users/{id}", Operation::ManagePeople),
    ("post", "/users/{id}/reset-password", Operation::ManagePeople),
    ("get", "/audit", Operation::ReadOwnAudit),
    ("get", "/keys", Operation::ManageKeys),
    ("post", "/keys", Operation::ManageKeys),
    ("delete", "/keys/{id}", Operation::ManageKeys),
    ("get", "/status", Operation::ReadStatus),
    ("get", "/usage", Operation::ReadOwnUsage),
    ("get", "/budgets", Operation::ReadBudgets),
    ("post", "/budgets", Operation::ManageBudgets),
    ("put", "/budgets/{id}", Operation::ManageBudgets),
    ("delete", "/budgets/{id}", Operation::ManageBudgets),
    ("get", "/roles", Operation::ReadRoles),
    ("put", "/roles", Operation::ManageRoles),
    ("get", "/roles/{role}", Operation::ReadRoles),
    ("put", "/roles/{role}", Operation::ManageRoles),
    ("delete", "/roles/{role}", Operation::ManageRoles),
    ("get", "/tools", Operation::ReadWorker),
    ("post", "/swarm/pause", Operation::SteerSwarm),
    ("post", "/swarm/resume", Operation::SteerSwarm),
    ("get", "/tasks", Operation::ReadTask),
    ("post", "/tasks", Operation::SubmitTask),
    ("post", "/tasks/batch", Operation::SubmitTask),
    ("get", "/tasks/{id}", Operation::ReadTask),
    ("put", "/tasks/{id}", Operation::EditTask),
    ("delete", "/tasks/{id}", Operation::EndTask),
    ("post", "/tasks/{id}/cancel", Operation::EndTask),
    ("post", "/tasks/{id}/retry", Operation::EditTask),
    ("get", "/tasks/{id}/logs", Operation::ReadTask),
    ("get", "/tasks/{id}/attempts", Operation::ReadTask),
    ("get", "/tasks/{id}/artifacts", Operation::ReadTask),
    ("get", "/tasks/{id}/artifacts/{hash}", Operation::ReadTask),
    ("get", "/tasks/{id}/placement", Operation::ReadTask),
    ("get", "/workers", Operation::ReadWorker),
    ("post", "/workers/register", Operation::EnrolWorker),
    ("post", "/workers/invitations", Operation::ManageKeys),
    ("get", "/workers/{id}", Operation::ReadWorker),
    ("put", "/workers/{id}", Operation::ManageWorker),
    ("delete", "/workers/{id}", Operation::ManageWorker),
    ("get", "/workers/{id}/shares", Operation::ManageWorker),
    ("post", "/workers/{id}/shares", Operation::ManageWorker),
    ("delete", "/workers/{id}/shares/{user_id}", Operation::ManageWorker),
    ("get", "/workers/{id}/runs", Operation::ReadUsage),
    ("post", "/workers/{id}/pause", Operation::SteerWorker),
    ("post", "/workers/{id}/resume", Operation::SteerWorker),
    ("post", "/workers/{id}/drain", Operation::SteerWorker),
    ("post", "/workers/{id}/heartbeat", Operation::ActAsWorker),
    ("get", "/workers/{id}/pull-task", Operation::ActAsWorker),
    ("post", "/workers/{id}/report", Operation::ActAsWorker),
    ("put", "/workers/{id}/artifacts/{task_id}/{attempt}/{name}", Operation::ActAsWorker),
];

/// The operation that a route needs.
pub(super) fn needed(method: &str, path: &str) -> Option<Operation> {
    let found = NEEDED.iter().find(|(known, at, _)| *known == method && *at == path);
    found.map(|(_, _, operation)| *operation)
}

/// Whether somebody who proved nothing may use it.
pub(super) fn is_open(operation: Operation) -> bool {
    allows(operation, Asker::Anonymous, Relation::None)
}

/// Refuses strangers where a right is needed, and keeps who it is for the handler.
pub(super) async fn refuse_strangers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let needed = request.extensions().get::<MatchedPath>().and_then(|route| {
        let below = route.as_str().strip_prefix(API_PREFIX)?.replace("{*", "{");
        needed(method_name(request.method()), &below)
    });
    if needed.is_none_or(is_open) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let identity = match Identity::from_request_parts(&mut parts, &state).await {
        Ok(identity) => identity,
        Err(error) => return error.into_response(),
    };
    if let Err(error) = identity.require_known() {
        return error.into_response();
    }
    parts.extensions.insert(identity);
    next.run(Request::from_parts(parts, body)).await
}

/// The method as the list names it; what answers GET answers HEAD.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::DELETE => "delete",
        _ => "other",
    }
}
