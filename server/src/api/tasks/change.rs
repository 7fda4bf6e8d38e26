//! Changing, ending and deleting tasks.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_engine::{CommandError, TaskEdit};
use swarm_model::TaskRef;
use swarm_model::rights::Operation;
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{Task, UpdateTask};

use super::load;
use crate::auth::Identity;
use crate::dispatch::DispatchError;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Change a queued task, or the limits and the priority of one that waits for a budget: with more it goes on. Give the version that you read; if it is another one by now, nothing is changed.
#[utoipa::path(put, path = "/tasks/{id}", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    request_body = UpdateTask, responses((status = 200, body = Task)))]
pub(super) async fn update_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
    Json(change): Json<UpdateTask>,
) -> Result<Json<Task>, ApiError> {
    let task = load(&state, &identity, Operation::EditTask, &id).await?;
    if change.description.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(ApiError::invalid("description is empty: it is the prompt".to_owned()));
    }
    let edit = TaskEdit { description: change.description, priority: change.priority, limits: change.limits };
    state.dispatcher.edit(task.head.number, change.version, edit).await?;
    reread(&state, task.head.task_id.into()).await
}

/// End a task. A running one ends when its worker confirms; until then `cancel_requested_at` stands.
#[utoipa::path(post, path = "/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 200, body = Task)))]
pub(in crate::api) async fn cancel_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Json<Task>, ApiError> {
    let task = load(&state, &identity, Operation::EndTask, &id).await?;
    match state.dispatcher.cancel(task.head.number).await {
        Ok(_) => {}
        Err(DispatchError::Command(CommandError::NotLive)) => {
            let detail = format!("task {} has ended already", task.head.number);
            return Err(ApiError::new(ErrorCode::Conflict, detail));
        }
        Err(error) => return Err(error.into()),
    }
    let Json(mut cancelled) = reread(&state, task.head.task_id.into()).await?;
    if !identity.allows(Operation::ReadTask, identity.relation_to_user(cancelled.user_id)) {
        // An admin may end it without reading it.
        cancelled.description = String::new();
        cancelled.input = swarm_model::task::TaskInput::default();
        cancelled.result = None;
        cancelled.error = None;
        cancelled.tries = Vec::new();
    }
    Ok(Json(cancelled))
}

/// Delete a task that has ended, with its log and its artifacts.
#[utoipa::path(delete, path = "/tasks/{id}", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 204)))]
pub(super) async fn delete_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let task = load(&state, &identity, Operation::EndTask, &id).await?;
    if !task.row.status.is_terminal() {
        let detail = format!("task {} is {}; cancel it first", task.head.number, task.row.status);
        return Err(ApiError::new(ErrorCode::Conflict, detail));
    }
    let audit = identity.audit(&state, "task_deleted", format!("task:{}", task.head.task_id));
    state.stores.tasks.delete_task(task.head.number, task.row.version, &audit).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reread(state: &AppState, task: TaskRef) -> Result<Json<Task>, ApiError> {
    let found = state.stores.tasks.task(task).await?;
    let found = found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the task was deleted in the meantime"))?;
    Ok(Json(super::task_of(found)))
}
