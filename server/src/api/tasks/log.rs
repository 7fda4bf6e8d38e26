//! The log of a task: by number, and waiting for more.

use std::time::Duration;

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_model::{TaskNumber, TaskRef};
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{LogPage, ReadLog};
use tokio::sync::broadcast::error::RecvError;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::state::AppState;

const PAGE: u32 = 1_000;
const MAX_PAGE: u32 = 5_000;
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Log entries after a number, in order and without gaps. With `wait_ms` the answer comes when there is one, or when the task ends.
#[utoipa::path(get, path = "/tasks/{id}/logs", tag = "tasks",
    params(("id" = String, Path, description = "Id or number"), ReadLog), responses((status = 200, body = LogPage)))]
pub(in crate::api) async fn read_log(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
    Query(query): Query<ReadLog>,
) -> Result<Json<LogPage>, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE) as usize;
    // Listening begins before the first look, so that nothing committed in between is missed.
    let mut notices = state.hub.listen();
    let number = task.head.number;
    let wait = Duration::from_millis(query.wait_ms).min(MAX_WAIT);
    let until = tokio::time::Instant::now() + wait;
    loop {
        let page = page(&state, number, query.after, limit).await?;
        if !page.entries.is_empty() || page.complete || wait.is_zero() {
            return Ok(Json(page));
        }
        let more = async {
            loop {
                match notices.recv().await {
                    Ok(notice) if notice.concerns(number) => return,
                    Ok(_) => {}
                    // Behind by more than the backlog: the store knows.
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = more => {}
            () = tokio::time::sleep_until(until) => return Ok(Json(page)),
            () = state.shutdown.cancelled() => return Ok(Json(page)),
        }
    }
}

/// One look at the log. The status is read first: whatever an ended task said is then in the page, or before it.
pub(crate) async fn page(state: &AppState, number: TaskNumber, after: u64, limit: usize) -> Result<LogPage, ApiError> {
    let task = state.stores.tasks.task(TaskRef::Number(number)).await?;
    let status = task.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the task was deleted"))?.row.status;
    let log = state.stores.tasks.log(number, after, limit).await?;
    if log.last_seq > after && log.oldest_seq > after + 1 {
        let detail = format!(
            "entries up to {} are no longer kept; read on with after={}",
            log.oldest_seq - 1,
            log.oldest_seq - 1
        );
        return Err(ApiError::new(ErrorCode::Gone, detail));
    }
    let next_after = log.entries.last().map_or(after, |last| last.seq);
    let complete = status.is_terminal() && next_after >= log.last_seq;
    Ok(LogPage { entries: log.entries, next_after, status, complete })
}
