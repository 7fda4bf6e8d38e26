//! The first start: who owns the instance, and how the people and the machine at hand come in.
//!
//! `up` makes the first user itself and signs the local command line in. `serve` gives out a token once, with
//! which somebody registers; until then nobody owns the instance.

use std::time::Duration;

use swarm_model::rights::InstanceRole;
use swarm_model::{Clock, KeyId, Timestamp, TokenId, UserId};
use swarm_store::people::NewUser;
use swarm_store::token::{KeyKind, NewKey, NewToken, TokenKind};
use swarm_store::{AuditEntry, Conflict, StoreError, Stores};

use crate::auth::secret::{self, Issued, Purpose};
use crate::auth::sessions::COMMAND_LINE_LIFE;
use crate::state::AppState;

const LINK_LIFE: Duration = Duration::from_mins(10);
const LOCAL_KEY_LIFE: Duration = Duration::from_mins(10);

/// The first user of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstUser {
    /// Who.
    pub user_id: UserId,
    /// Whether they were made just now.
    pub is_new: bool,
}

/// Makes the first user, an admin without a password, or finds the one who owns the instance: the user with this
/// name, otherwise the admin who has been here longest.
pub async fn bootstrap_first_user(stores: &Stores, clock: &dyn Clock, name: &str) -> Result<FirstUser, StoreError> {
    let user_id = UserId::generate(clock);
    let user =
        NewUser { user_id, username: name.to_owned(), email: None, password_hash: None, role: InstanceRole::Admin };
    let audit = audit(clock, "first_user_created", format!("user:{user_id}"));
    match stores.people.create_first_user(&user, &audit).await {
        Ok(()) => Ok(FirstUser { user_id, is_new: true }),
        Err(StoreError::Conflict(Conflict::Owned)) => {
            let mut admins = stores.people.users().await?;
            admins.retain(|user| user.is_active && user.role == InstanceRole::Admin);
            let namesake = admins.iter().find(|user| user.username.eq_ignore_ascii_case(name));
            let owner = namesake.or_else(|| admins.iter().min_by_key(|user| user.created_at));
            let owner = owner.ok_or(StoreError::NotFound { entity: "admin" })?;
            Ok(FirstUser { user_id: owner.user_id, is_new: false })
        }
        Err(error) => Err(error),
    }
}

impl AppState {
    /// The token with which somebody becomes the owner of an instance that has none; `None` once it has one.
    pub async fn draw_setup_token(&self) -> Result<Option<String>, StoreError> {
        self.auth.draw_setup_token().await
    }

    /// The page on which the holder of the set-up token makes the first account, as this machine reaches it. The token
    /// stands behind `#`, which browsers send to nobody.
    pub fn setup_link(&self, token: &str) -> String {
        format!("{}/register#{token}", self.config.base_url())
    }

    /// The page on which the holder of an invitation makes an account, as others reach it.
    pub(crate) fn invitation_link(&self, token: &str) -> String {
        format!("{}/register#{token}", self.outward_url())
    }

    /// A link that signs `user` in once, within 10 minutes. The secret stands behind `#`, which browsers send to
    /// nobody.
    pub async fn create_sign_in_link(&self, user: UserId) -> Result<String, StoreError> {
        let audit = audit(&*self.clock, "sign_in_link_created", format!("user:{user}"));
        let secret = self.issue_link(user, "sign-in link", self.now() + LINK_LIFE, &audit).await?;
        Ok(format!("{}/signin#{secret}", self.config.base_url()))
    }

    /// The secret of a link that signs `user` in once, until `expires_at`.
    pub(crate) async fn issue_link(
        &self,
        user: UserId,
        name: &str,
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<String, StoreError> {
        let Issued { secret, hash } = secret::issue(Purpose::Link);
        let token = NewToken {
            token_id: self.new_id(TokenId::new),
            kind: TokenKind::SignIn,
            user_id: user,
            worker_id: None,
            key_id: None,
            name: name.to_owned(),
            hash,
            scopes: Vec::new(),
            expires_at: Some(expires_at),
        };
        self.stores.tokens.create_token(&token, audit).await?;
        Ok(secret)
    }

    /// A token for the command line of the machine at hand.
    pub async fn issue_cli_token(&self, user: UserId) -> Result<String, StoreError> {
        let Issued { secret, hash } = secret::issue(Purpose::CommandLine);
        let token = NewToken {
            token_id: self.new_id(TokenId::new),
            kind: TokenKind::Cli,
            user_id: user,
            worker_id: None,
            key_id: None,
            name: "command line of the coordinator's machine".to_owned(),
            hash,
            scopes: Vec::new(),
            expires_at: Some(self.now() + COMMAND_LINE_LIFE),
        };
        let audit = audit(&*self.clock, "cli_token_issued", format!("user:{user}"));
        self.stores.tokens.create_token(&token, &audit).await?;
        Ok(secret)
    }

    /// A key that enrols the local worker: once, and within 10 minutes.
    pub async fn create_local_worker_key(&self, user: UserId) -> Result<String, StoreError> {
        let Issued { secret, hash } = secret::issue(Purpose::WorkerKey);
        let key_id = self.new_id(KeyId::new);
        let key = NewKey {
            key_id,
            kind: KeyKind::Worker,
            user_id: user,
            name: "local worker".to_owned(),
            hash,
            scopes: Vec::new(),
            uses: Some(1),
            expires_at: Some(self.now() + LOCAL_KEY_LIFE),
            created_by: user,
        };
        let audit = audit(&*self.clock, "key_created", format!("key:{key_id}"));
        self.stores.tokens.create_key(&key, &audit).await?;
        Ok(secret)
    }
}

fn audit(clock: &dyn Clock, action: &str, subject: String) -> AuditEntry {
    AuditEntry {
        at: clock.now(),
        actor: "system".to_owned(),
        action: action.to_owned(),
        subject,
        detail: None,
        from_address: None,
    }
}
