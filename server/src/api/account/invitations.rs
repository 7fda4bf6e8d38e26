//! Inviting people.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::TokenId;
use swarm_model::rights::{InstanceRole, Operation, Relation};
use swarm_proto::auth::{CreateInvitation, Invitation};
use swarm_store::people::NewInvitation;

use crate::auth::Identity;
use crate::auth::secret::{self, Purpose};
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

const HOURS: u32 = 72;
const MAX_HOURS: u32 = 24 * 30;

/// Invite somebody to join as a member. The invitation is shown once and works once.
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
    let issued = secret::issue(Purpose::Invitation);
    let expires_at = state.now() + Duration::from_hours(u64::from(hours));
    let invitation_id = state.new_id(TokenId::new);
    let invitation = NewInvitation {
        invitation_id,
        hash: issued.hash,
        role: InstanceRole::Member,
        created_by: person.user_id,
        uses: 1,
        expires_at,
    };
    let audit = identity.audit(&state, "person_invited", format!("invitation:{invitation_id}"));
    state.stores.people.create_invitation(&invitation, &audit).await?;
    Ok((StatusCode::CREATED, Json(Invitation { invitation: issued.secret, expires_at })))
}
