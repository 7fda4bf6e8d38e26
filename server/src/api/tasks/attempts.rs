//! The attempts of a task.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_proto::Page;
use swarm_proto::tasks::Attempt;

use super::load;
use super::wire::attempt;
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
    Ok(Json(Page::whole(attempts.into_iter().map(attempt).collect())))
}
