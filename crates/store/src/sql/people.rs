//! [`PeopleStore`] in SQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use swarm_model::rights::InstanceRole;
use swarm_model::{Timestamp, TokenId, UserId};

use crate::audit::AuditEntry;
use crate::error::{Conflict, StoreError};
use crate::people::{Invitation, NewInvitation, NewUser, PeopleStore, UserChange, UserRecord};
use crate::sql::database::{Transaction, broken_constraint};
use crate::sql::row::Row;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{args, json};
use crate::sql::{SqlStore, audit, tokens};
use crate::token::{Revoked, TokenHash};

const ANYBODY: Statement = sql!("people/anybody");
const INSERT_USER: Statement = sql!("people/insert_user");
const USER_BY_ID: Statement = sql!("people/user_by_id");
const USER_BY_NAME: Statement = sql!("people/user_by_name");
const USER_BY_EMAIL: Statement = sql!("people/user_by_email");
const USERS: Statement = sql!("people/users");
const UPDATE_USER: Statement = sql!("people/update_user");
const ACTIVE_ADMINS: Statement = sql!("people/active_admins");
const NOTE_LOGIN: Statement = sql!("people/note_login");
const INSERT_INVITATION: Statement = sql!("people/insert_invitation");
const USE_INVITATION: Statement = sql!("people/use_invitation");
const USABLE_INVITATION: Statement = sql!("people/usable_invitation");
const INVITATIONS: Statement = sql!("people/invitations");
const REVOKE_INVITATION: Statement = sql!("people/revoke_invitation");
const SETTINGS: Statement = sql!("people/settings");
const SET_SETTING: Statement = sql!("people/set_setting");
const CLEAR_SETTING: Statement = sql!("people/clear_setting");
const USER_SETTINGS: Statement = sql!("people/user_settings");
const SET_USER_SETTING: Statement = sql!("people/set_user_setting");
const CLEAR_USER_SETTING: Statement = sql!("people/clear_user_setting");

#[async_trait]
impl PeopleStore for SqlStore {
    async fn create_first_user(&self, user: &NewUser, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = tx.fetch(&ANYBODY, Vec::new()).await?;
        let users = rows.first().map_or(Ok(0), |row| row.of("users", "users").int("users"))?;
        if users > 0 {
            return Err(Conflict::Owned.into());
        }
        insert_user(&mut tx, user, user.role, audit).await?;
        tx.commit().await
    }

    async fn create_user(
        &self,
        user: &NewUser,
        invitation: Option<&TokenHash>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let role = match invitation {
            Some(hash) => {
                let used = tx.fetch(&USE_INVITATION, args![hash, audit.at]).await?;
                used.first().ok_or(Conflict::InvitationSpent)?.of("invitations", "invitation_id").name("role")?
            }
            None => user.role,
        };
        insert_user(&mut tx, user, role, audit).await?;
        tx.commit().await
    }

    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.db.read(&USER_BY_ID, args![user]).await?.first().map(user_record).transpose()
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<UserRecord>, StoreError> {
        self.db.read(&USER_BY_NAME, args![folded(username)]).await?.first().map(user_record).transpose()
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError> {
        self.db.read(&USER_BY_EMAIL, args![folded(email)]).await?.first().map(user_record).transpose()
    }

    async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        self.db.read(&USERS, Vec::new()).await?.iter().map(user_record).collect()
    }

    async fn update_user(&self, user: UserId, change: &UserChange, audit: &AuditEntry) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = tx.fetch(&USER_BY_ID, args![user]).await?;
        let mut record = user_record(rows.first().ok_or(StoreError::not_found("user"))?)?;
        let was_active = record.is_active;
        apply(&mut record, change);
        let values = args![
            user,
            record.username.as_str(),
            folded(&record.username),
            record.email.as_deref(),
            record.email.as_deref().map(folded),
            record.password_hash.as_deref(),
            record.role.as_str(),
            record.is_active,
        ];
        tx.try_execute(&UPDATE_USER, values).await.map_err(taken)?;
        let rows = tx.fetch(&ACTIVE_ADMINS, Vec::new()).await?;
        let admins = rows.first().map_or(Ok(0), |row| row.of("users", "admins").int("admins"))?;
        if admins == 0 {
            return Err(Conflict::LastAdmin.into());
        }
        let revoked = if was_active && !record.is_active {
            tokens::revoke_everything_of(&mut tx, user, audit.at).await?
        } else if change.password_hash.is_some() {
            tokens::revoke_sessions_of(&mut tx, user, change.keep, audit.at).await?
        } else {
            Revoked::default()
        };
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn note_login(&self, user: UserId, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.execute(&NOTE_LOGIN, args![user, at]).await?;
        tx.commit().await
    }

    async fn create_invitation(&self, invitation: &NewInvitation, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let values = args![
            invitation.invitation_id,
            &invitation.hash,
            invitation.role.as_str(),
            invitation.created_by,
            audit.at,
            i64::from(invitation.uses),
            invitation.expires_at,
        ];
        tx.execute(&INSERT_INVITATION, values).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn invitation(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Invitation>, StoreError> {
        self.db.read(&USABLE_INVITATION, args![hash, now]).await?.first().map(invitation_record).transpose()
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, StoreError> {
        self.db.read(&INVITATIONS, Vec::new()).await?.iter().map(invitation_record).collect()
    }

    async fn revoke_invitation(&self, invitation: TokenId, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(&REVOKE_INVITATION, args![invitation, audit.at]).await? == 0 {
            return Err(StoreError::not_found("invitation"));
        }
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn settings(&self) -> Result<BTreeMap<String, serde_json::Value>, StoreError> {
        self.db.read(&SETTINGS, Vec::new()).await?.iter().map(|row| setting(row, "settings")).collect()
    }

    async fn user_settings(&self, user: UserId) -> Result<BTreeMap<String, serde_json::Value>, StoreError> {
        self.db.read(&USER_SETTINGS, args![user]).await?.iter().map(|row| setting(row, "user_settings")).collect()
    }

    async fn set_user_setting(
        &self,
        user: UserId,
        name: &str,
        value: Option<&serde_json::Value>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        match value {
            Some(value) => tx.execute(&SET_USER_SETTING, args![user, name, json(value)?]).await?,
            None => tx.execute(&CLEAR_USER_SETTING, args![user, name]).await?,
        };
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn set_setting(
        &self,
        name: &str,
        value: Option<&serde_json::Value>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        match value {
            Some(value) => tx.execute(&SET_SETTING, args![name, json(value)?]).await?,
            None => tx.execute(&CLEAR_SETTING, args![name]).await?,
        };
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }
}

fn setting(row: &Row, table: &'static str) -> Result<(String, serde_json::Value), StoreError> {
    let fields = row.of(table, "name");
    Ok((fields.text("name")?, fields.json("value")?))
}

/// A name as it is compared.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

async fn insert_user(
    tx: &mut Transaction<'_>,
    user: &NewUser,
    role: InstanceRole,
    audit: &AuditEntry,
) -> Result<(), StoreError> {
    let values = args![
        user.user_id,
        user.username.as_str(),
        folded(&user.username),
        user.email.as_deref(),
        user.email.as_deref().map(folded),
        user.password_hash.as_deref(),
        role.as_str(),
        true,
        audit.at,
    ];
    tx.try_execute(&INSERT_USER, values).await.map_err(taken)?;
    audit::write(tx, audit).await
}

fn taken(error: sqlx::Error) -> StoreError {
    match broken_constraint(&error) {
        Some(constraint) if constraint.contains("username") => Conflict::UsernameTaken.into(),
        Some(constraint) if constraint.contains("email") => Conflict::EmailTaken.into(),
        Some(_) => Conflict::Exists.into(),
        None => error.into(),
    }
}

fn apply(record: &mut UserRecord, change: &UserChange) {
    let UserChange { username, email, password_hash, role, is_active, keep: _ } = change.clone();
    record.username = username.unwrap_or_else(|| std::mem::take(&mut record.username));
    record.email = email.unwrap_or_else(|| record.email.take());
    record.password_hash = password_hash.unwrap_or_else(|| record.password_hash.take());
    record.role = role.unwrap_or(record.role);
    record.is_active = is_active.unwrap_or(record.is_active);
}

fn user_record(row: &Row) -> Result<UserRecord, StoreError> {
    let fields = row.of("users", "user_id");
    Ok(UserRecord {
        user_id: fields.parsed("user_id")?,
        username: fields.text("username")?,
        email: fields.opt_text("email")?,
        password_hash: fields.opt_text("password_hash")?,
        role: fields.name("role")?,
        is_active: fields.flag("is_active")?,
        created_at: fields.time("created_at")?,
        last_login: fields.opt_time("last_login")?,
    })
}

fn invitation_record(row: &Row) -> Result<Invitation, StoreError> {
    let fields = row.of("invitations", "invitation_id");
    Ok(Invitation {
        invitation_id: fields.parsed("invitation_id")?,
        role: fields.name("role")?,
        created_by: fields.parsed("created_by")?,
        created_at: fields.time("created_at")?,
        uses_left: fields.count("uses_left")?,
        expires_at: fields.time("expires_at")?,
        revoked_at: fields.opt_time("revoked_at")?,
    })
}
