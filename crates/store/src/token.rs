//! Credentials: opaque secrets, of which only BLAKE3 hashes are kept.
//!
//! A *token* was handed out to a browser, a command line or a worker; a *key* was made by a person for
//! machines (`worker`) or programs (`api`). What is revoked stays revoked, and what a key enrolled ends with
//! it. A browser's refresh token is replaced at each use: a family is one token row whose hash moves on, and
//! every spent hash is remembered, so that its second use is known for what it is.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use swarm_model::{KeyId, Timestamp, TokenId, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::StoreError;

/// Where credentials are kept.
#[async_trait]
pub trait TokenStore: Send + Sync + std::fmt::Debug {
    /// Keeps a new token.
    async fn create_token(&self, token: &NewToken, audit: &AuditEntry) -> Result<(), StoreError>;

    /// What this hash stands for: neither revoked nor expired at `now`, nor a used link. Not by a spent
    /// refresh token.
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Credential>, StoreError>;

    /// A user's tokens that still count, newest first.
    async fn tokens_of(&self, user: UserId, now: Timestamp) -> Result<Vec<TokenRecord>, StoreError>;

    /// Replaces a refresh token by its successor. The same spent token gets the same answer within `grace`;
    /// after that its family ends, which is what `reuse` is written for.
    async fn rotate(&self, rotation: &Rotate, reuse: &AuditEntry) -> Result<Rotation, StoreError>;

    /// Exchanges a sign-in link for a session, once. [`crate::Conflict::LinkSpent`] if it cannot be used.
    async fn exchange_link(
        &self,
        link: &TokenHash,
        session: &LinkedSession,
        audit: &AuditEntry,
    ) -> Result<TokenRecord, StoreError>;

    /// Ends a token.
    async fn revoke_token(&self, token: TokenId, audit: &AuditEntry) -> Result<Revoked, StoreError>;

    /// Ends a user's sessions and command-line tokens, but for `keep`.
    async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<TokenId>,
        audit: &AuditEntry,
    ) -> Result<Revoked, StoreError>;

    /// Keeps a new key.
    async fn create_key(&self, key: &NewKey, audit: &AuditEntry) -> Result<(), StoreError>;

    /// One key, also a revoked one.
    async fn key(&self, key: KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// The keys of a user, or of all, newest first; revoked ones too.
    async fn keys(&self, user: Option<UserId>) -> Result<Vec<KeyRecord>, StoreError>;

    /// Ends a key and the worker credentials that it enrolled.
    async fn revoke_key(&self, key: KeyId, audit: &AuditEntry) -> Result<Revoked, StoreError>;

    /// Notes when credentials were last used.
    async fn touch(&self, uses: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
}

/// The BLAKE3 hash of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of `secret`.
    pub fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// What a token was handed out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A browser's session: the family of a refresh token.
    Session,
    /// A command line.
    Cli,
    /// A worker's own credential.
    Worker,
    /// A link that signs in once.
    SignIn,
}

impl TokenKind {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Cli => "cli",
            Self::Worker => "worker",
            Self::SignIn => "sign_in",
        }
    }
}

/// A token to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its id.
    pub token_id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// Whose it is; of a worker, its owner.
    pub user_id: UserId,
    /// The worker that has it.
    pub worker_id: Option<WorkerId>,
    /// The key that enrolled that worker.
    pub key_id: Option<KeyId>,
    /// What people see in their list of sessions.
    pub name: String,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// What it may do; empty means everything that its user may.
    pub scopes: Vec<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id.
    pub token_id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// Whose it is; of a worker, its owner.
    pub user_id: UserId,
    /// The worker that has it.
    pub worker_id: Option<WorkerId>,
    /// The key that enrolled that worker.
    pub key_id: Option<KeyId>,
    /// What people see in their list of sessions.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Enrols machines.
    Worker,
    /// Acts for its user within its scopes.
    Api,
}

impl KeyKind {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }
}

/// A key to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its id.
    pub key_id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// For whom it acts, or whose the machines become.
    pub user_id: UserId,
    /// What people call it.
    pub name: String,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// What it may do.
    pub scopes: Vec<String>,
    /// How many machines it may enrol; none means no bound.
    pub uses: Option<u32>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: UserId,
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub key_id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// For whom it acts.
    pub user_id: UserId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// How many machines it may still enrol.
    pub uses_left: Option<u32>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// What a secret stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token.
    Token(TokenRecord),
    /// A key.
    Key(KeyRecord),
}

/// Which credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialId {
    /// A token.
    Token(TokenId),
    /// A key.
    Key(KeyId),
}

/// A refresh token that was shown, and what would follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate {
    /// What was shown.
    pub presented: TokenHash,
    /// What follows it: always the same for the same token.
    pub successor: TokenHash,
    /// When.
    pub now: Timestamp,
    /// How long a spent token gets the same answer.
    pub grace: Duration,
    /// Until when the family lives from now on.
    pub expires_at: Timestamp,
}

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It counts: its successor is `successor`, now or since a moment ago.
    Granted {
        /// The family.
        token: TokenRecord,
        /// The hash of what follows.
        successor: TokenHash,
    },
    /// It was spent long ago: the family has ended.
    Reused(Revoked),
    /// Nobody knows it, or its family had ended.
    Unknown,
}

/// The session that a link opens; its user is the link's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedSession {
    /// Its id.
    pub token_id: TokenId,
    /// A browser's session or a command line.
    pub kind: TokenKind,
    /// What people see in their list of sessions.
    pub name: String,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// What ended, so that open sockets of it can be closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revoked {
    /// Tokens.
    pub tokens: Vec<RevokedToken>,
    /// Keys.
    pub keys: Vec<KeyId>,
}

/// A token that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedToken {
    /// Which.
    pub token_id: TokenId,
    /// Whose.
    pub user_id: UserId,
    /// The worker that had it.
    pub worker_id: Option<WorkerId>,
}
