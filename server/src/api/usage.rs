//! What was used, summed by day: by oneself, on one's own machines, or by everybody for admins. Never a text.

use std::collections::BTreeSet;

use axum::extract::State;
use swarm_model::WorkerId;
use swarm_model::day::Day;
use swarm_model::rights::{Operation, Relation, WorkerRole};
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_proto::usage::{ReadUsage, UsageItem, UsageReport};
use swarm_store::{UsageFilter, UsageRow, UsageScope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Query};
use crate::state::AppState;

/// Days that are summed unless said otherwise.
const USUAL_DAYS: u32 = 30;
/// Sums in one answer at the most.
const MAX_SUMS: usize = 10_000;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_usage))
}

/// What your tasks used, and what ran on workers that you own; for an admin, everything. A run belongs to the day in
/// UTC on which it ended; deleting a task changes no sum.
#[utoipa::path(get, path = "/usage", tag = "swarm", params(ReadUsage), responses((status = 200, body = UsageReport)))]
pub(super) async fn read_usage(
    State(state): State<AppState>,
    identity: Identity,
    Query(query): Query<ReadUsage>,
) -> Result<Json<UsageReport>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ReadOwnUsage, identity.relation_to_user(person.user_id))?;
    let by = by(query.by.as_deref())?;
    let to = query.to.unwrap_or_else(|| Day::of(state.now()));
    let from = query.from.unwrap_or_else(|| to.minus(USUAL_DAYS - 1));
    if from > to {
        return Err(ApiError::invalid(format!("from ({from}) is after to ({to})")));
    }
    let tool = query.tool.map(|tool| tool.parse().map_err(|error| ApiError::invalid(format!("{error}"))));
    let filter = UsageFilter {
        scope: scope(&state, &identity).await?,
        from,
        to,
        user: query.user_id,
        worker: query.worker_id,
        tool: tool.transpose()?,
        model: query.model.filter(|model| !model.is_empty()),
        by: by.clone(),
        limit: MAX_SUMS + 1,
    };
    let rows = state.stores.tasks.usage(&filter).await?;
    if rows.len() > MAX_SUMS {
        let detail = format!("these are more than {MAX_SUMS} sums: ask for fewer days, or tell them apart by less");
        return Err(ApiError::invalid(detail));
    }
    let mut total = UsageSums::default();
    for row in &rows {
        total += row.sums;
    }
    let items = rows.into_iter().map(to_wire).collect();
    Ok(Json(UsageReport { from, to, by: by.into_iter().collect(), items, total }))
}

fn by(named: Option<&str>) -> Result<BTreeSet<UsageBy>, ApiError> {
    let Some(named) = named else { return Ok([UsageBy::Day].into()) };
    let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
    let read = |name: &str| {
        let known = UsageBy::ALL.map(UsageBy::as_str).join(", ");
        let name: String = name.chars().take(64).collect();
        UsageBy::parse(&name)
            .ok_or_else(|| ApiError::invalid(format!("sums are not told apart by \"{name}\"; there are {known}")))
    };
    names.map(read).collect()
}

/// Whose sums the asker may see.
async fn scope(state: &AppState, identity: &Identity) -> Result<UsageScope, ApiError> {
    if identity.allows(Operation::ReadUsage, Relation::None) {
        return Ok(UsageScope::All);
    }
    let user = identity.person()?.user_id;
    let mut workers: Vec<WorkerId> = Vec::new();
    if identity.allows(Operation::ReadUsage, Relation::OnWorker(WorkerRole::Owner)) {
        let seen = state.stores.workers.workers_for(user, false).await?;
        let owned = seen.into_iter().filter(|view| view.role == Some(WorkerRole::Owner));
        workers.extend(owned.map(|view| view.worker.worker_id));
    }
    Ok(UsageScope::Of { user, workers })
}

fn to_wire(row: UsageRow) -> UsageItem {
    let UsageRow { day, user_id, username, worker_id, machine_name, tool, model, sums } = row;
    UsageItem { day, user_id, username, worker_id, machine_name, tool, model, sums }
}
