//! The swarm at a glance.

use std::collections::BTreeSet;

use axum::extract::State;
use swarm_engine::StandingBudget;
use swarm_model::rights::{Operation, Relation};
use swarm_model::tool::ToolInfo;
use swarm_model::{TaskStatus, UserId, WorkerStatus, change};
use swarm_proto::status::{AccountLimit, ShortTask, SwarmStatus, count_workers};
use swarm_proto::workers::Worker;
use swarm_store::task::TaskFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::budgets;
use super::workers::to_wire;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// Of the tasks that wait, so many are looked at for a budget that they wait for, and so many are shown.
const LOOKED_AT: usize = 100;
const SHOWN: usize = 5;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_status))
}

/// Your tasks and the workers that you may see, counted by status.
#[utoipa::path(get, path = "/status", tag = "swarm", responses((status = 200, body = SwarmStatus)))]
async fn read_status(State(state): State<AppState>, identity: Identity) -> Result<Json<SwarmStatus>, ApiError> {
    identity.require(Operation::ReadStatus, Relation::None)?;
    let person = identity.person()?;
    let counts = state.stores.tasks.counts(Some(person.user_id)).await?;
    let sees_all = identity.allows(Operation::ReadWorker, Relation::None);
    let views = state.stores.workers.workers_for(person.user_id, sees_all).await?;
    let live = state.dispatcher.live();
    let workers: Vec<_> = views.into_iter().map(|view| to_wire(view.worker, view.role, person.user_id, live)).collect();
    let counts_waiting = counts.get(&TaskStatus::Waiting).copied().unwrap_or(0);
    let takes_work = workers.iter().filter(|worker| worker.status == WorkerStatus::Online);
    Ok(Json(SwarmStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: state.started_at,
        paused: state.dispatcher.is_swarm_paused(),
        tasks: counts.into_iter().map(|(status, n)| (status.to_string(), n)).collect(),
        free_slots: takes_work.map(|worker| worker.capabilities.slots.saturating_sub(worker.running)).sum(),
        workers: count_workers(workers.iter().map(|worker| worker.status)),
        budgets: budgets::visible(&state, &identity, StandingBudget::is_warned).await?,
        short: short_tasks(&state, person.user_id, counts_waiting).await?,
        limits: live.limits().iter().filter_map(|limit| limit_to_wire(limit, &workers)).collect(),
    }))
}

/// The newest of one's tasks that wait for a budget, where anything waits.
async fn short_tasks(state: &AppState, user: UserId, waiting: u64) -> Result<Vec<ShortTask>, ApiError> {
    if waiting == 0 {
        return Ok(Vec::new());
    }
    let statuses = vec![TaskStatus::Waiting];
    let filter = TaskFilter { user: Some(user), statuses, limit: LOOKED_AT, ..TaskFilter::default() };
    let waiting = state.stores.tasks.list(&filter).await?;
    let short = waiting.into_iter().filter_map(|task| {
        let detail = task.row.course?.short?.sentence;
        Some(ShortTask { number: task.head.number, detail })
    });
    Ok(short.take(SHOWN).collect())
}

/// A limit of an account that some of these workers use.
fn limit_to_wire(limit: &change::AccountLimit, workers: &[Worker]) -> Option<AccountLimit> {
    let uses_it = |worker: &Worker, tool: &ToolInfo| {
        let account = tool.account.as_ref().map(|account| account.of_machine(worker.owner_id, worker.worker_id));
        account.is_some_and(|account| account.id == limit.account.id)
    };
    let tools = workers.iter().flat_map(|worker| worker.capabilities.tools.iter().map(move |tool| (worker, tool)));
    let users = tools.filter(|(worker, tool)| uses_it(worker, tool));
    let (tools, on): (BTreeSet<_>, BTreeSet<_>) =
        users.map(|(worker, tool)| (tool.name.clone(), worker.worker_id)).unzip();
    (!tools.is_empty()).then(|| AccountLimit {
        account: limit.account.label.clone(),
        tools: tools.into_iter().collect(),
        workers: on.into_iter().collect(),
        class: limit.class,
        detail: limit.detail.clone(),
        since: limit.since,
        until: limit.until,
    })
}
