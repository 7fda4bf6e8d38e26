//! What ran on a worker, for its owner: whose, which tool, when, how it ended, what it used. Never the text.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_model::{TaskNumber, WorkerId};
use swarm_proto::Page;
use swarm_proto::workers::{ListRuns, RunOnWorker};
use swarm_store::task::AttemptOnWorker;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::state::AppState;

const PAGE: usize = 50;
const MAX_PAGE: usize = 200;
/// Tasks looked at in one query. There is no index from workers to attempts, so a page ends after some of them.
const WINDOW: i64 = 10_000;
const WINDOWS: usize = 10;

/// What ran on your worker, the newest first, without the text. A page may be short, or empty, and have a next one.
#[utoipa::path(get, path = "/workers/{id}/runs", tag = "workers", params(("id" = WorkerId, Path), ListRuns), responses((status = 200, body = Page<RunOnWorker>)))]
pub(super) async fn list_runs(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    Query(query): Query<ListRuns>,
) -> Result<Json<Page<RunOnWorker>>, ApiError> {
    load(&state, &identity, Operation::ReadUsage, id).await?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let tasks = &state.stores.tasks;
    let mut before = match query.cursor {
        Some(cursor) => cursor,
        None => tasks.counters().await?.last_number.0.saturating_add(1),
    };
    let mut items = Vec::new();
    for _ in 0..WINDOWS {
        if before <= 1 || items.len() >= limit {
            break;
        }
        let from = before.saturating_sub(WINDOW).max(1);
        let wanted = limit - items.len();
        let found = tasks.attempts_on(id, TaskNumber(from), TaskNumber(before), wanted).await?;
        before = from;
        if let Some(last) = found.last().filter(|_| found.len() == wanted) {
            // The page is full: it ends with the last attempt of that task.
            before = last.number.0;
            let (number, attempt) = (last.number, last.attempt);
            let rest = tasks.attempts_on(id, number, TaskNumber(number.0 + 1), usize::MAX >> 1).await?;
            items.extend(found.into_iter().chain(rest.into_iter().filter(|seen| seen.attempt < attempt)).map(to_wire));
        } else {
            items.extend(found.into_iter().map(to_wire));
        }
    }
    let next_cursor = (before > 1).then(|| before.to_string());
    Ok(Json(Page { items, next_cursor }))
}

fn to_wire(seen: AttemptOnWorker) -> RunOnWorker {
    let record = seen.record.unwrap_or_default();
    RunOnWorker {
        number: seen.number,
        attempt: seen.attempt,
        user_id: seen.user_id,
        tool: seen.tool,
        model: record.model.or(seen.model),
        status: seen.status,
        failure_class: seen.failure_class,
        assigned_at: seen.assigned_at,
        started_at: seen.started_at,
        ended_at: seen.ended_at,
        usage: record.usage,
    }
}
