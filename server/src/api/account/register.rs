//! Joining: with an invitation, with the set-up token of an instance that has no owner, or freely where that is
//! switched on.

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::UserId;
use swarm_model::rights::InstanceRole;
use swarm_proto::auth::{Register, User};
use swarm_store::TokenHash;
use swarm_store::people::NewUser;

use super::audit_of_stranger;
use crate::auth::sessions::shown;
use crate::error::ApiError;
use crate::extract::{ClientAddress, Json};
use crate::state::AppState;

const MAX_NAME: usize = 64;
const MAX_EMAIL: usize = 254;

/// Join. The invitation comes from an admin; the first person of an instance uses the set-up token that
/// `garageswarm serve` printed, and becomes its admin. Signing in is the next step.
#[utoipa::path(post, path = "/auth/register", tag = "account", request_body = Register, responses((status = 201, body = User)))]
pub(super) async fn register(
    State(state): State<AppState>,
    from: ClientAddress,
    Json(wish): Json<Register>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    state.auth.limits().secret(from)?;
    check_name(&wish.username)?;
    wish.email.as_deref().map_or(Ok(()), check_email)?;
    let is_setup = state.auth.is_setup_token(&wish.invitation);
    let is_free = !is_setup && wish.invitation.is_empty() && state.config.accounts.registration_open;
    let invitation = (!is_setup && !is_free).then(|| TokenHash::of(&wish.invitation));
    // Hashing a password costs a processor: only those who may come in get that far.
    if let Some(hash) = &invitation
        && state.stores.people.invitation(hash, state.now()).await?.is_none()
    {
        return Err(swarm_store::Conflict::InvitationSpent.into());
    }

    let role = if is_setup { InstanceRole::Admin } else { InstanceRole::Member };
    let user_id = state.new_id(UserId::new);
    let password_hash = Some(state.auth.passwords().hash(wish.password).await?);
    let user = NewUser { user_id, username: wish.username, email: wish.email, password_hash, role };
    let audit = audit_of_stranger(&state, from, "user_registered", Some(user_id));
    if is_setup {
        state.stores.people.create_first_user(&user, &audit).await?;
        state.auth.end_setup();
    } else {
        state.stores.people.create_user(&user, invitation.as_ref(), &audit).await?;
    }
    let made =
        state.stores.people.user(user_id).await?.ok_or_else(|| ApiError::internal("a registered user is missing"))?;
    Ok((StatusCode::CREATED, Json(shown(made))))
}

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    if fits && name.trim() == name && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("username holds 1 to {MAX_NAME} printable characters, without spaces at its ends")))
}

/// Whether it could be an address. Whether it is one, only a mail to it can tell.
pub(super) fn check_email(email: &str) -> Result<(), ApiError> {
    let parts =
        email.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'));
    if parts.is_some() && email.len() <= MAX_EMAIL && !email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(ApiError::invalid("email is not an address such as ann@example.org; it may be left out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_read() {
        for good in ["a", "Ann Example", "ünä", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", " ann", "ann ", "a\nb", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        assert!(check_email("ann@example.org").is_ok());
        for bad in ["ann", "@example.org", "ann@host", "a@b@c.d", "ann @example.org"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }
}
