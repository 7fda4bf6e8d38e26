//! Access tokens of browsers: short, and in memory only. After a restart the browser refreshes.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use swarm_model::{Timestamp, TokenId, UserId};
use swarm_store::TokenHash;

use super::secret::{self, Purpose};

const LIFE: Duration = Duration::from_mins(15);

/// What an access token stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    /// The session that it belongs to.
    pub(super) token_id: TokenId,
    /// Whose it is.
    pub(super) user_id: UserId,
    /// When it ends.
    pub(super) expires_at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct AccessTokens(RwLock<HashMap<TokenHash, Access>>);

impl AccessTokens {
    pub(super) fn issue(&self, token_id: TokenId, user_id: UserId, now: Timestamp) -> (String, Timestamp) {
        let issued = secret::issue(Purpose::Access);
        let expires_at = now + LIFE;
        let access = Access { token_id, user_id, expires_at };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(issued.hash, access);
        (issued.secret, expires_at)
    }

    pub(super) fn get(&self, hash: &TokenHash, now: Timestamp) -> Option<Access> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .copied()
            .filter(|access| access.expires_at > now)
    }

    pub(super) fn forget_ended(&self, now: Timestamp) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, access| access.expires_at > now);
    }
}
