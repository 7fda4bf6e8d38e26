//! Inviting people, and who was invited.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use swarm_model::TokenId;
use swarm_model::rights::{InstanceRole, Operation, Relation};
use swarm_proto::auth::{CreateInvitation, Invitation, OpenInvitation};
use swarm_store::people::{Invitation as Kept, NewInvitation};

use crate::auth::Identity;
use crate::auth::secret::{self, Purpose};
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

const HOURS: u32 = 72;
const MAX_HOURS: u32 = 24 * 30;

/// Every invitation, the newest first, without its secret.
#[utoipa::path(get, path = "/auth/invitations", tag = "account", responses((status = 200, body = Vec<OpenInvitation>)))]
pub(super) async fn list_invitations(
    State(state): State<AppState>,
    identity: Identity,
) -> Result<Json<Vec<OpenInvitation>>, ApiError> {
    identity.require(Operation::InvitePeople, Relation::None)?;
    let now = state.now();
    let to_wire = |kept: Kept| OpenInvitation {
        invitation_id: kept.invitation_id,
        role: kept.role,
        created_by: kept.created_by,
        created_at: kept.created_at,
        is_open: kept.uses_left > 0 && kept.revoked_at.is_none() && kept.expires_at > now,
        expires_at: kept.expires_at,
    };
    Ok(Json(state.stores.people.invitations().await?.into_iter().map(to_wire).collect()))
}

/// End an invitation.
#[utoipa::path(delete, path = "/auth/invitations/{id}", tag = "account", params(("id" = TokenId, Path)), responses((status = 204)))]
pub(super) async fn revoke_invitation(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<TokenId>,
) -> Result<StatusCode, ApiError> {
    identity.require(Operation::InvitePeople, Relation::None)?;
    let audit = identity.audit(&state, "invitation_revoked", format!("invitation:{id}"));
    state.stores.people.revoke_invitation(id, &audit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invite somebody to join, as a member unless said otherwise. The invitation is shown once and works once.
#[utoipa::path(post, path = "/auth/invitations", tag = "account", request_body = CreateInvitation, responses((status = 201, body = Invitation)))]
pub(super) async fn invite(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<CreateInvitation>,
) -> Result<(StatusCode, Json<Invitation>), ApiError> {
    identity.require(Operation::InvitePeople, Relation::None)?;
    let (person, _) = identity.signed_in()?;
    let hours = wish.hours.unwrap_or(HOURS);
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(ApiError::invalid(format!("hours is 1 to {MAX_HOURS}")));
    }
    let role = wish.role.unwrap_or(InstanceRole::Member);
    let issued = secret::issue(Purpose::Invitation);
    let expires_at = state.now() + Duration::from_hours(u64::from(hours));
    let invitation_id = state.new_id(TokenId::new);
    let invitation =
        NewInvitation { invitation_id, hash: issued.hash, role, created_by: person.user_id, uses: 1, expires_at };
    let mut audit = identity.audit(&state, "person_invited", format!("invitation:{invitation_id}"));
    audit.detail = Some(json!({ "role": role }));
    state.stores.people.create_invitation(&invitation, &audit).await?;
    let link = state.invitation_link(&issued.secret);
    Ok((StatusCode::CREATED, Json(Invitation { invitation_id, invitation: issued.secret, link, expires_at })))
}
