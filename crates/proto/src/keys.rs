//! Keys: `worker` keys enrol machines, `api` keys act for their user.

use serde::{Deserialize, Serialize};
use swarm_model::rights::Scope;
use swarm_model::{KeyId, Timestamp};

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Enrols machines.
    Worker,
    /// Acts for its user.
    Api,
}

impl KeyKind {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Key {
    /// Its id.
    pub key_id: KeyId,
    /// What it is good for.
    pub kind: KeyKind,
    /// What its user calls it.
    pub name: String,
    /// What an `api` key may do for its user; empty for a `worker` key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// How many machines it still enrols; absent means any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to a few minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// `POST /keys`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What it is good for.
    pub kind: KeyKind,
    /// What to call it.
    pub name: String,
    /// What an `api` key may do for you; tasks:read, tasks:write and workers:read unless said otherwise.
    #[serde(default)]
    pub scopes: Option<Vec<Scope>>,
    /// How many machines a `worker` key enrols; 1 unless said otherwise, 0 for any number until it expires.
    #[serde(default)]
    pub uses: Option<u32>,
    /// Hours until it ends; 24 for a `worker` key, none for an `api` key, unless said otherwise.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// A new key with its secret, shown once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedKey {
    /// The key itself.
    pub secret: String,
    /// What is kept of it.
    pub key: Key,
}

/// Shows no secret.
impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey").field("key", &self.key).finish_non_exhaustive()
    }
}
