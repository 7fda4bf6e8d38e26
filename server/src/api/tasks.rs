//! Tasks: submit, list, read, change, end, try again.
//!
//! A task belongs to the person who submitted it. To everyone else it does not exist (404), except that an
//! admin may end and delete it without reading it.

mod artifacts;
mod attempts;
mod change;
mod create;
mod list;
mod log;
mod placement;
mod wire;

use swarm_model::TaskRef;
use swarm_model::rights::Operation;
use swarm_store::task::StoredTask;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) use change::cancel_task;
pub(super) use create::create_task;
pub(super) use list::{get_task, list_tasks};
pub(crate) use log::page as log_page;
pub(super) use log::read_log;
pub(crate) use wire::{task as task_to_wire, task_of};

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_tasks, create::create_task))
        .routes(routes!(create::create_tasks))
        .routes(routes!(list::get_task, change::update_task, change::delete_task))
        .routes(routes!(change::cancel_task))
        .routes(routes!(create::retry_task))
        .routes(routes!(log::read_log))
        .routes(routes!(attempts::list_attempts))
        .routes(routes!(artifacts::list_artifacts))
        .routes(routes!(artifacts::get_artifact))
        .routes(routes!(placement::explain_placement))
}

/// The task that a path names, if the asker may do `operation` with it.
pub(crate) async fn load(
    state: &AppState,
    identity: &Identity,
    operation: Operation,
    named: &str,
) -> Result<StoredTask, ApiError> {
    // A stranger learns nothing, not even whether the name is well-formed.
    identity.person()?;
    let absent = || ApiError::not_found("task");
    let named: TaskRef = named.parse().map_err(|_| absent())?;
    let task = state.stores.tasks.task(named).await?.ok_or_else(absent)?;
    identity.require(operation, identity.relation_to_user(task.head.user_id))?;
    Ok(task)
}
