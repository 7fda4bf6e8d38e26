//! People, invitations and the settings of the instance.
//!
//! There is always an active admin once there is anybody. Usernames and e-mail addresses are unique
//! whatever their case.

use std::collections::BTreeMap;

use async_trait::async_trait;
use swarm_model::rights::InstanceRole;
use swarm_model::{Timestamp, TokenId, UserId};

use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::token::{Revoked, TokenHash};

/// Where people are kept.
#[async_trait]
pub trait PeopleStore: Send + Sync + std::fmt::Debug {
    /// Makes the first user; [`crate::Conflict::Owned`] once there is anybody.
    async fn create_first_user(&self, user: &NewUser, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Makes a user. With an invitation, uses it in the same transaction and gives the role that it names.
    async fn create_user(
        &self,
        user: &NewUser,
        invitation: Option<&TokenHash>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// One user.
    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError>;

    /// The user with this name, whatever its case.
    async fn user_by_name(&self, username: &str) -> Result<Option<UserRecord>, StoreError>;

    /// The user with this e-mail address, whatever its case.
    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError>;

    /// Everybody, by name.
    async fn users(&self) -> Result<Vec<UserRecord>, StoreError>;

    /// Changes a user. A new password, or none any more, ends every token but `change.keep`; deactivating ends all tokens and
    /// keys, in the same transaction.
    async fn update_user(&self, user: UserId, change: &UserChange, audit: &AuditEntry) -> Result<Revoked, StoreError>;

    /// Notes a sign-in.
    async fn note_login(&self, user: UserId, at: Timestamp) -> Result<(), StoreError>;

    /// Makes an invitation.
    async fn create_invitation(&self, invitation: &NewInvitation, audit: &AuditEntry) -> Result<(), StoreError>;

    /// The invitation with this hash, if it can be used now.
    async fn invitation(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Invitation>, StoreError>;

    /// Every invitation, newest first.
    async fn invitations(&self) -> Result<Vec<Invitation>, StoreError>;

    /// Ends an invitation.
    async fn revoke_invitation(&self, invitation: TokenId, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Every setting.
    async fn settings(&self) -> Result<BTreeMap<String, serde_json::Value>, StoreError>;

    /// What a person chose for themselves.
    async fn user_settings(&self, user: UserId) -> Result<BTreeMap<String, serde_json::Value>, StoreError>;

    /// Sets what a person chose, or with `None` forgets it.
    async fn set_user_setting(
        &self,
        user: UserId,
        name: &str,
        value: Option<&serde_json::Value>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Sets a setting, or with `None` forgets it.
    async fn set_setting(
        &self,
        name: &str,
        value: Option<&serde_json::Value>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;
}

/// A user to make.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Their id.
    pub user_id: UserId,
    /// Their name.
    pub username: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// The hash of their password; none where they sign in by links.
    pub password_hash: Option<String>,
    /// Their role, where no invitation names one.
    pub role: InstanceRole,
}

/// A user as they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Their id.
    pub user_id: UserId,
    /// Their name.
    pub username: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// The hash of their password.
    pub password_hash: Option<String>,
    /// Their role.
    pub role: InstanceRole,
    /// Whether they may sign in.
    pub is_active: bool,
    /// Since when they are there.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_login: Option<Timestamp>,
}

/// What changes about a user; `None` leaves it as it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserChange {
    /// The name.
    pub username: Option<String>,
    /// The e-mail address, or none any more.
    pub email: Option<Option<String>>,
    /// The hash of a new password, or none any more.
    pub password_hash: Option<Option<String>>,
    /// The role.
    pub role: Option<InstanceRole>,
    /// Whether they may sign in.
    pub is_active: Option<bool>,
    /// The session that stays when the password changes.
    pub keep: Option<TokenId>,
}

/// An invitation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// Its id.
    pub invitation_id: TokenId,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// The role it gives.
    pub role: InstanceRole,
    /// Who invites.
    pub created_by: UserId,
    /// How many may use it.
    pub uses: u32,
    /// Until when.
    pub expires_at: Timestamp,
}

/// An invitation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: TokenId,
    /// The role it gives.
    pub role: InstanceRole,
    /// Who invites.
    pub created_by: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// How many may still use it.
    pub uses_left: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// Whether there is a password, never its hash.
fn secrecy(password_hash: Option<&String>) -> &'static str {
    if password_hash.is_some() { "a password" } else { "no password" }
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "NewUser({}, {}, {:?}, {})",
            self.user_id,
            self.username,
            self.role,
            secrecy(self.password_hash.as_ref())
        )
    }
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let active = if self.is_active { "active" } else { "inactive" };
        write!(
            f,
            "UserRecord({}, {}, {:?}, {active}, {})",
            self.user_id,
            self.username,
            self.role,
            secrecy(self.password_hash.as_ref())
        )
    }
}

impl std::fmt::Debug for UserChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserChange")
            .field("username", &self.username)
            .field("email", &self.email)
            .field("password", &self.password_hash.as_ref().map(|hash| secrecy(hash.as_ref())))
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .field("keep", &self.keep)
            .finish()
    }
}
