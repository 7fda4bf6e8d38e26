//! The attempts of a task.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_proto::Page;
use swarm_proto::tasks::Attempt;
use swarm_store::task::StoredAttempt;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Every assignment of a task, the first one first.
#[utoipa::path(get, path = "/tasks/{id}/attempts", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 200, body = Page<Attempt>)))]
pub(super) async fn list_attempts(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Json<Page<Attempt>>, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let attempts = state.stores.tasks.attempts(task.head.number).await?;
    Ok(Json(Page::whole(attempts.into_iter().map(to_wire).collect())))
}

fn to_wire(stored: StoredAttempt) -> Attempt {
    Attempt {
        attempt: stored.attempt,
        worker_id: stored.worker_id,
        tool: stored.tool,
        model: stored.model,
        status: stored.status,
        assigned_at: stored.assigned_at,
        started_at: stored.started_at,
        ended_at: stored.ended_at,
        failure_class: stored.failure_class,
        error: stored.error,
        record: stored.record,
        has_late_result: stored.late.is_some(),
    }
}
