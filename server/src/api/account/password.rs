//! Changing one's password, which ends every other session.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::rights::Operation;
use swarm_proto::ErrorCode;
use swarm_proto::auth::ChangePassword;
use swarm_store::people::UserChange;

use crate::auth::{Identity, Visitor};
use crate::error::ApiError;
use crate::extract::{ClientAddress, Json};
use crate::state::AppState;

/// Set a new password. Every other session ends; this one stays.
#[utoipa::path(post, path = "/auth/change-password", tag = "account", request_body = ChangePassword, responses((status = 204)))]
pub(super) async fn change_password(
    State(state): State<AppState>,
    identity: Identity,
    from: ClientAddress,
    Json(change): Json<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let (person, session) = identity.signed_in()?;
    identity.require(Operation::ManageSelf, identity.relation_to_user(person.user_id))?;
    let user = state.stores.people.user(person.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    if let Some(hash) = user.password_hash {
        state.auth.limits().password(&user.username, from)?;
        let current =
            change.current_password.ok_or_else(|| ApiError::invalid("current_password is missing: you have one."))?;
        if !state.auth.passwords().verify(current, Some(hash), Visitor::Known).await? {
            return Err(ApiError::new(ErrorCode::WrongPassword, "current_password is not your password."));
        }
    }
    let password_hash = Some(Some(state.auth.passwords().hash(change.new_password).await?));
    let change = UserChange { password_hash, keep: Some(session), ..UserChange::default() };
    let audit = identity.audit(&state, "password_changed", format!("user:{}", user.user_id));
    let revoked = state.stores.people.update_user(user.user_id, &change, &audit).await?;
    state.end_credentials(&revoked).await;
    Ok(StatusCode::NO_CONTENT)
}
