//! The registry of tools: what the workers bring that the asker may see.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use swarm_model::rights::{Operation, Relation};
use swarm_model::{ToolName, UserId, WorkerStatus};
use swarm_proto::Page;
use swarm_proto::tools::{SwarmTool, ToolOnWorker};
use swarm_proto::workers::Worker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workers::to_wire;
use crate::auth::Identity;
use crate::dispatch::LiveWorkers;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_tools))
}

/// Every tool of the workers that you may see, by name: where it is, how healthy, how busy, and what to do where it
/// cannot be used.
#[utoipa::path(get, path = "/tools", tag = "workers", responses((status = 200, body = Page<SwarmTool>)))]
pub(super) async fn list_tools(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<Json<Page<SwarmTool>>, ApiError> {
    let person = identity.person()?;
    // As with the list of workers: everybody may see some.
    identity.require(Operation::ReadWorker, Relation::SharedWorker)?;
    let all = identity.allows(Operation::ReadWorker, Relation::None);
    let found = state.stores.workers.workers_for(person.user_id, all).await?;
    let live = state.dispatcher.live();
    let workers = found.into_iter().map(|view| to_wire(view.worker, view.role, person.user_id, live));
    Ok(Json(Page::whole(registry(workers, person.user_id, live))))
}

fn registry(workers: impl Iterator<Item = Worker>, asker: UserId, live: &LiveWorkers) -> Vec<SwarmTool> {
    let mut known: BTreeMap<ToolName, Vec<ToolOnWorker>> = BTreeMap::new();
    for worker in workers {
        let now = live.get(worker.worker_id);
        let slots = worker.capabilities.slots;
        for tool in worker.capabilities.tools {
            let free = now.as_ref().map_or(0, |view| view.free_for(asker, &tool));
            known.entry(tool.name).or_default().push(ToolOnWorker {
                worker_id: worker.worker_id,
                machine_name: worker.machine_name.clone(),
                status: worker.status,
                version: tool.version,
                slots: tool.max_concurrent.map_or(slots, |most| most.min(slots)),
                health: tool.health,
                account: tool.account.map(|account| account.label),
                models: tool.models,
                free,
            });
        }
    }
    known.into_iter().map(|(name, workers)| summed(name, workers)).collect()
}

fn summed(name: ToolName, workers: Vec<ToolOnWorker>) -> SwarmTool {
    let ready = || workers.iter().filter(|on| on.health.is_ready() && on.status != WorkerStatus::Offline);
    let models: BTreeSet<&String> = workers.iter().flat_map(|on| &on.models).collect();
    SwarmTool {
        name,
        ready: ready().count().try_into().unwrap_or(u32::MAX),
        slots: ready().fold(0, |sum, on| sum.saturating_add(on.slots)),
        free: ready().fold(0, |sum, on| sum.saturating_add(on.free)),
        models: models.into_iter().cloned().collect(),
        workers,
    }
}
