//! Oneself.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_proto::auth::User;

use crate::auth::Identity;
use crate::auth::sessions::shown;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// Who is signed in.
#[utoipa::path(get, path = "/auth/me", tag = "account", responses((status = 200, body = User)))]
pub(super) async fn me(State(state): State<AppState>, identity: Identity) -> Result<Json<User>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    let user = state.stores.people.user(person.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(Json(shown(user)))
}
