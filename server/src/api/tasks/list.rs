//! Reading tasks.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_model::{TaskNumber, TaskStatus};
use swarm_proto::Page;
use swarm_proto::tasks::{ListTasks, Task};
use swarm_store::task::TaskFilter;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::state::AppState;

/// Rows of a page unless said otherwise.
const PAGE: u32 = 50;
/// Rows of a page at the most.
const MAX_PAGE: u32 = 500;

/// Your tasks, newest first. Results are left out; read a task for its result.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(ListTasks), responses((status = 200, body = Page<Task>)))]
pub(in crate::api) async fn list_tasks(
    State(state): State<AppState>,
    identity: Identity,
    Query(query): Query<ListTasks>,
) -> Result<Json<Page<Task>>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ReadTask, identity.relation_to_user(person.user_id))?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE) as usize;
    let mut filter = filter(query)?;
    filter.user = Some(person.user_id);
    // One row more than asked for tells whether there is a next page.
    filter.limit = limit + 1;
    let mut found = state.stores.tasks.list(&filter).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.head.number.to_string());
    let items = found.iter().map(|task| super::task_to_wire(&task.head, &task.row, None)).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// One task with its result and the record of each attempt.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 200, body = Task)))]
pub(in crate::api) async fn get_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Json<Task>, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let attempts = match task.row.attempt {
        0 => Vec::new(),
        _ => state.stores.tasks.attempts(task.head.number).await?,
    };
    let attempts = attempts.into_iter().map(super::wire::attempt).collect();
    Ok(Json(Task { attempts, ..super::task_of(task) }))
}

fn filter(query: ListTasks) -> Result<TaskFilter, ApiError> {
    let status = |name: &str| {
        let known = TaskStatus::ALL.map(TaskStatus::as_str).join(", ");
        TaskStatus::parse(name)
            .ok_or_else(|| ApiError::invalid(format!("no status is called \"{name}\"; there are {known}")))
    };
    let statuses = query.status.as_deref().unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(status);
    let tool = query.tool.map(|tool| tool.parse().map_err(|error| ApiError::invalid(format!("{error}"))));
    let before = query.cursor.map(|cursor| {
        let number = cursor.parse().map_err(|_| ApiError::invalid("cursor is not one that a page gave".to_owned()));
        number.map(TaskNumber)
    });
    Ok(TaskFilter {
        user: None,
        statuses: statuses.collect::<Result<_, _>>()?,
        tool: tool.transpose()?,
        worker: query.worker_id,
        text: query.text.filter(|text| !text.is_empty()),
        created_after: query.created_after,
        created_before: query.created_before,
        before: before.transpose()?,
        limit: 0,
    })
}
