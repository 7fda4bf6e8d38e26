//! The swarm as a whole: stopping and restarting the hand-out.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use swarm_model::rights::{Operation, Relation};
use swarm_store::{PeopleStore, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::state::AppState;

const PAUSED: &str = "swarm_paused";

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(pause_swarm)).routes(routes!(resume_swarm))
}

/// Whether the swarm was paused when somebody last said so.
pub(crate) async fn is_paused(people: &dyn PeopleStore) -> Result<bool, StoreError> {
    Ok(people.settings().await?.get(PAUSED).and_then(Value::as_bool).unwrap_or(false))
}

/// Hand nothing out any more, to any worker, until the swarm is resumed. What runs goes on.
#[utoipa::path(post, path = "/swarm/pause", tag = "swarm", responses((status = 204)))]
async fn pause_swarm(State(state): State<AppState>, identity: Identity) -> Result<StatusCode, ApiError> {
    set_paused(&state, &identity, true).await
}

/// Hand out again.
#[utoipa::path(post, path = "/swarm/resume", tag = "swarm", responses((status = 204)))]
async fn resume_swarm(State(state): State<AppState>, identity: Identity) -> Result<StatusCode, ApiError> {
    set_paused(&state, &identity, false).await
}

async fn set_paused(state: &AppState, identity: &Identity, paused: bool) -> Result<StatusCode, ApiError> {
    identity.require(Operation::SteerSwarm, Relation::None)?;
    let action = if paused { "swarm_paused" } else { "swarm_resumed" };
    let audit = identity.audit(state, action, format!("setting:{PAUSED}"));
    state.stores.people.set_setting(PAUSED, Some(&Value::Bool(paused)), &audit).await?;
    state.dispatcher.set_swarm_paused(paused).await?;
    Ok(StatusCode::NO_CONTENT)
}
