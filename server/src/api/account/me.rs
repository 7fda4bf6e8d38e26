//! Oneself: who one is, and one's profile.

use axum::extract::State;
use swarm_model::rights::Operation;
use swarm_proto::auth::{UpdateProfile, User};
use swarm_store::people::UserChange;

use super::register::{check_email, check_name};
use crate::auth::Identity;
use crate::auth::sessions::shown;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// Who is signed in.
#[utoipa::path(get, path = "/auth/me", tag = "account", responses((status = 200, body = User)))]
pub(super) async fn me(State(state): State<AppState>, identity: Identity) -> Result<Json<User>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ReadSelf, identity.relation_to_user(person.user_id))?;
    let user = state.stores.people.user(person.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(Json(shown(user)))
}

/// Change your name or your address. An empty `email` removes it.
#[utoipa::path(put, path = "/auth/me", tag = "account", request_body = UpdateProfile, responses((status = 200, body = User)))]
pub(super) async fn update_profile(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<UpdateProfile>,
) -> Result<Json<User>, ApiError> {
    let (person, _) = identity.signed_in()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    wish.username.as_deref().map_or(Ok(()), check_name)?;
    let email = wish.email.map(|address| (!address.is_empty()).then_some(address));
    email.as_ref().and_then(Option::as_deref).map_or(Ok(()), check_email)?;
    let user_id = person.user_id;
    let change = UserChange { username: wish.username, email, ..UserChange::default() };
    if change != UserChange::default() {
        let audit = identity.audit(&state, "profile_changed", format!("user:{user_id}"));
        state.stores.people.update_user(user_id, &change, &audit).await?;
    }
    let user = state.stores.people.user(user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(Json(shown(user)))
}
