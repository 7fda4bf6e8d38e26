//! Which right each route needs: what its handler asks the table of rights for, as the document tells it.
//!
//! A route without a line here, and a line without a route, fail a test; so do a handler that lets a stranger in
//! where the table would not.

use swarm_model::rights::Operation;

/// Method, path below the prefix, and the operation.
pub(super) const NEEDED: &[(&str, &str, Operation)] = &[
    ("post", "/auth/register", Operation::Register),
    ("post", "/auth/login", Operation::SignIn),
    ("post", "/auth/link", Operation::SignIn),
    ("post", "/auth/refresh", Operation::SignIn),
    ("post", "/auth/logout", Operation::ManageSelf),
    ("get", "/auth/me", Operation::ManageSelf),
    ("post", "/auth/change-password", Operation::ManageSelf),
    ("post", "/auth/ticket", Operation::WatchEvents),
    ("post", "/auth/invitations", Operation::InvitePeople),
    ("get", "/auth/sessions", Operation::ManageSelf),
    ("delete", "/auth/sessions/{id}", Operation::ManageSelf),
    ("get", "/keys", Operation::ManageKeys),
    ("post", "/keys", Operation::ManageKeys),
    ("delete", "/keys/{id}", Operation::ManageKeys),
    ("get", "/status", Operation::ReadStatus),
    ("post", "/swarm/pause", Operation::SteerSwarm),
    ("post", "/swarm/resume", Operation::SteerSwarm),
    ("get", "/tasks", Operation::ReadTask),
    ("post", "/tasks", Operation::SubmitTask),
    ("post", "/tasks/batch", Operation::SubmitTask),
    ("get", "/tasks/{id}", Operation::ReadTask),
    ("put", "/tasks/{id}", Operation::ChangeTask),
    ("delete", "/tasks/{id}", Operation::ChangeTask),
    ("post", "/tasks/{id}/cancel", Operation::ChangeTask),
    ("post", "/tasks/{id}/retry", Operation::ReadTask),
    ("get", "/tasks/{id}/logs", Operation::ReadTask),
    ("get", "/tasks/{id}/attempts", Operation::ReadTask),
    ("get", "/tasks/{id}/artifacts", Operation::ReadTask),
    ("get", "/tasks/{id}/artifacts/{hash}", Operation::ReadTask),
    ("get", "/tasks/{id}/placement", Operation::ReadTask),
    ("get", "/workers", Operation::ReadWorker),
    ("post", "/workers/register", Operation::EnrolWorker),
    ("get", "/workers/{id}", Operation::ReadWorker),
    ("delete", "/workers/{id}", Operation::ManageWorker),
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
    NEEDED.iter().find(|(known, at, _)| *known == method && *at == path).map(|(_, _, operation)| *operation)
}
