//! Signing in, oneself, and invitations.

use serde::{Deserialize, Serialize};
use swarm_model::rights::InstanceRole;
use swarm_model::{Timestamp, TokenId, UserId};

/// A person, as they and admins see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Their id.
    pub user_id: UserId,
    /// Their name.
    pub username: String,
    /// Their address, where they gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their role on the instance.
    pub role: InstanceRole,
    /// Whether they may sign in.
    pub is_active: bool,
    /// Whether they have a password, or sign in by link only.
    pub has_password: bool,
    /// Since when they are here.
    pub created_at: Timestamp,
    /// When they last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
}

/// `POST /auth/login`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
    /// What the answer is for.
    #[serde(default)]
    pub kind: SessionKind,
}

/// What a session is for, and so how its credential is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A browser: the refresh token comes as a cookie, the access token in the body lives 15 minutes.
    #[default]
    Browser,
    /// A command line: one opaque token in the body, revocable, without a cookie.
    Cli,
}

/// The answer to signing in and to `POST /auth/refresh`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Send it as `Authorization: Bearer ...`.
    pub access_token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who is signed in.
    pub user: User,
}

/// `POST /auth/link`: exchanges the token of a sign-in link. It works once, for 10 minutes.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExchangeLink {
    /// The part of the link behind `#`.
    pub token: String,
    /// What the answer is for.
    #[serde(default)]
    pub kind: SessionKind,
}

/// `POST /auth/register`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The invitation, or the set-up token that `serve` printed.
    pub invitation: String,
    /// The name, 1 to 64 characters.
    pub username: String,
    /// An address, if wanted.
    #[serde(default)]
    pub email: Option<String>,
    /// At least 10 characters.
    pub password: String,
}

/// `POST /auth/change-password`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The one that is valid now; absent where there is none yet.
    #[serde(default)]
    pub current_password: Option<String>,
    /// The new one, at least 10 characters.
    pub new_password: String,
}

/// A member of `GET /auth/sessions`: where one is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// Its id.
    pub session_id: TokenId,
    /// What it is for.
    pub kind: SessionKind,
    /// What the program called itself that signed in.
    pub name: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to a few minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// The answer to `POST /auth/ticket`: opens one WebSocket within 30 seconds.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// Give it as `?ticket=`.
    pub ticket: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `PUT /auth/me`. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateProfile {
    /// A new name, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A new address; an empty text removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// `PUT /users/{id}`, for admins. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Another role on the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<InstanceRole>,
    /// `false` deactivates: sessions, sockets, keys and the machines that they enrolled end at once, and what they
    /// submitted and has not ended is cancelled. `true` lets them sign in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// The answer to `POST /users/{id}/reset-password`: a link that signs them in once, to set a new password.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordReset {
    /// Hand it to them; whoever has it is them.
    pub link: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A member of `GET /auth/invitations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenInvitation {
    /// Its id.
    pub invitation_id: TokenId,
    /// The role it gives.
    pub role: InstanceRole,
    /// Who invited.
    pub created_by: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// Whether it can still be used.
    pub is_open: bool,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `POST /auth/invitations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// Hours until it ends; 72 unless said otherwise.
    #[serde(default)]
    pub hours: Option<u32>,
    /// The role that it gives; member unless said otherwise.
    #[serde(default)]
    pub role: Option<InstanceRole>,
}

/// An invitation, shown once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Its id.
    pub invitation_id: TokenId,
    /// Give it as `invitation` when registering.
    pub invitation: String,
    /// The same as a link to the panel's page for joining.
    pub link: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

macro_rules! redacted_debug {
    ($($type:ty { $($shown:ident),* })+) => {$(
        /// Shows no secret.
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    )+};
}

redacted_debug! {
    Login { username, kind }
    Session { expires_at, user }
    ExchangeLink { kind }
    Register { username, email }
    ChangePassword { }
    Ticket { expires_at }
    Invitation { invitation_id, expires_at }
    PasswordReset { expires_at }
}
