//! [`TokenStore`] in SQL.

use async_trait::async_trait;
use swarm_model::{KeyId, Timestamp, TokenId, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::{Conflict, StoreError};
use crate::sql::database::Transaction;
use crate::sql::row::{Fields, Row};
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{args, array, json};
use crate::sql::{SqlStore, audit};
use crate::token::{
    Credential, CredentialId, KeyRecord, LinkedSession, NewKey, NewToken, Revoked, RevokedToken, Rotate, Rotation,
    TokenHash, TokenRecord, TokenStore,
};

const INSERT_TOKEN: Statement = sql!("tokens/insert_token");
const TOKEN_BY_HASH: Statement = sql!("tokens/token_by_hash");
const KEY_BY_HASH: Statement = sql!("tokens/key_by_hash");
const TOKENS_OF: Statement = sql!("tokens/tokens_of");
const ROTATE: Statement = sql!("tokens/rotate");
const REMEMBER_SPENT: Statement = sql!("tokens/remember_spent");
const SPENT: Statement = sql!("tokens/spent");
const USE_LINK: Statement = sql!("tokens/use_link");
const TOKEN_EXISTS: Statement = sql!("tokens/token_exists");
const REVOKE_TOKEN: Statement = sql!("tokens/revoke_token");
const REVOKE_SESSIONS: Statement = sql!("tokens/revoke_sessions");
const REVOKE_TOKENS_OF_USER: Statement = sql!("tokens/revoke_tokens_of_user");
const REVOKE_TOKENS_OF_WORKER: Statement = sql!("tokens/revoke_tokens_of_worker");
const REVOKE_ENROLLED: Statement = sql!("tokens/revoke_enrolled");
const INSERT_KEY: Statement = sql!("tokens/insert_key");
const KEY_BY_ID: Statement = sql!("tokens/key_by_id");
const KEYS: Statement = sql!("tokens/keys");
const USE_WORKER_KEY: Statement = sql!("tokens/use_worker_key");
const REVOKE_KEY: Statement = sql!("tokens/revoke_key");
const REVOKE_KEYS_OF_USER: Statement = sql!("tokens/revoke_keys_of_user");
const TOUCH_TOKENS: Statement = sql!("tokens/touch_tokens");
const TOUCH_KEYS: Statement = sql!("tokens/touch_keys");

#[async_trait]
impl TokenStore for SqlStore {
    async fn create_token(&self, token: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        insert_token(&mut tx, token, audit.at).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Credential>, StoreError> {
        if let Some(row) = self.db.read(&TOKEN_BY_HASH, args![hash, now]).await?.first() {
            return token_record(row.of("tokens", "token_id")).map(Credential::Token).map(Some);
        }
        self.db
            .read(&KEY_BY_HASH, args![hash, now])
            .await?
            .first()
            .map(|row| key_record(row).map(Credential::Key))
            .transpose()
    }

    async fn tokens_of(&self, user: UserId, now: Timestamp) -> Result<Vec<TokenRecord>, StoreError> {
        let rows = self.db.read(&TOKENS_OF, args![user, now]).await?;
        rows.iter().map(|row| token_record(row.of("tokens", "token_id"))).collect()
    }

    async fn rotate(&self, rotation: &Rotate, reuse: &AuditEntry) -> Result<Rotation, StoreError> {
        let Rotate { presented, successor, now, grace, expires_at } = rotation;
        let mut tx = self.db.begin().await?;
        if let Some(row) = tx.fetch(&ROTATE, args![presented, *now, successor, *expires_at]).await?.first() {
            let token = token_record(row.of("tokens", "token_id"))?;
            tx.execute(&REMEMBER_SPENT, args![presented, token.token_id, successor, *now]).await?;
            tx.commit().await?;
            return Ok(Rotation::Granted { token, successor: *successor });
        }
        let spent = tx.fetch(&SPENT, args![presented, *now]).await?;
        let Some(row) = spent.first() else {
            tx.commit().await?;
            return Ok(Rotation::Unknown);
        };
        let fields = row.of("spent_hashes", "token_id");
        let token = token_record(fields)?;
        if now.since(fields.time("spent_at")?) <= *grace {
            tx.commit().await?;
            return Ok(Rotation::Granted { token, successor: token_hash(fields, "successor")? });
        }
        let ended = revoke(&mut tx, &REVOKE_TOKEN, token.token_id, *now).await?;
        audit::write(&mut tx, reuse).await?;
        tx.commit().await?;
        Ok(Rotation::Reused(ended))
    }

    async fn exchange_link(
        &self,
        link: &TokenHash,
        session: &LinkedSession,
        audit: &AuditEntry,
    ) -> Result<TokenRecord, StoreError> {
        let mut tx = self.db.begin().await?;
        let used = tx.fetch(&USE_LINK, args![link, audit.at]).await?;
        let fields = used.first().ok_or(Conflict::LinkSpent)?.of("tokens", "token_id");
        let token = NewToken {
            token_id: session.token_id,
            kind: session.kind,
            user_id: fields.parsed("user_id")?,
            worker_id: None,
            key_id: None,
            name: session.name.clone(),
            hash: session.hash,
            scopes: fields.json("scopes")?,
            expires_at: session.expires_at,
        };
        insert_token(&mut tx, &token, audit.at).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        let NewToken { token_id, kind, user_id, worker_id, key_id, name, hash: _, scopes, expires_at } = token;
        let created_at = audit.at;
        Ok(TokenRecord {
            token_id,
            kind,
            user_id,
            worker_id,
            key_id,
            name,
            scopes,
            created_at,
            expires_at,
            last_used_at: None,
        })
    }

    async fn revoke_token(&self, token: TokenId, audit: &AuditEntry) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        let revoked = revoke(&mut tx, &REVOKE_TOKEN, token, audit.at).await?;
        if revoked.tokens.is_empty() && tx.fetch(&TOKEN_EXISTS, args![token]).await?.is_empty() {
            return Err(StoreError::not_found("token"));
        }
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<TokenId>,
        audit: &AuditEntry,
    ) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        let revoked = revoke_sessions_of(&mut tx, user, keep, audit.at).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn create_key(&self, key: &NewKey, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let values = args![
            key.key_id,
            key.kind.as_str(),
            key.user_id,
            key.name.as_str(),
            &key.hash,
            json(&key.scopes)?,
            key.uses,
            audit.at,
            key.expires_at,
            key.created_by,
        ];
        tx.execute(&INSERT_KEY, values).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn key(&self, key: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.db.read(&KEY_BY_ID, args![key]).await?.first().map(key_record).transpose()
    }

    async fn keys(&self, user: Option<UserId>) -> Result<Vec<KeyRecord>, StoreError> {
        self.db.read(&KEYS, args![user]).await?.iter().map(key_record).collect()
    }

    async fn revoke_key(&self, key: KeyId, audit: &AuditEntry) -> Result<Revoked, StoreError> {
        let mut tx = self.db.begin().await?;
        let ended = tx.fetch(&REVOKE_KEY, args![key, audit.at]).await?;
        if ended.is_empty() && tx.fetch(&KEY_BY_ID, args![key]).await?.is_empty() {
            return Err(StoreError::not_found("key"));
        }
        let revoked = with_enrolled(&mut tx, &ended, audit.at).await?;
        audit::write(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    async fn touch(&self, uses: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        let (mut tokens, mut keys) = (Rows::default(), Rows::default());
        for (credential, at) in uses {
            match credential {
                CredentialId::Token(id) => tokens.push(cells![*id, *at]),
                CredentialId::Key(id) => keys.push(cells![*id, *at]),
            }
        }
        let mut tx = self.db.begin().await?;
        tx.write(&TOUCH_TOKENS, tokens).await?;
        tx.write(&TOUCH_KEYS, keys).await?;
        tx.commit().await
    }
}

pub(super) async fn insert_token(tx: &mut Transaction<'_>, token: &NewToken, now: Timestamp) -> Result<(), StoreError> {
    let values = args![
        token.token_id,
        token.kind.as_str(),
        token.user_id,
        token.worker_id,
        token.key_id,
        token.name.as_str(),
        &token.hash,
        json(&token.scopes)?,
        now,
        token.expires_at,
    ];
    tx.execute(&INSERT_TOKEN, values).await?;
    Ok(())
}

/// Takes a use of a key that enrols machines.
pub(super) async fn use_worker_key(tx: &mut Transaction<'_>, key: KeyId, now: Timestamp) -> Result<(), StoreError> {
    match tx.execute(&USE_WORKER_KEY, args![key, now]).await? {
        0 => Err(Conflict::KeySpent.into()),
        _ => Ok(()),
    }
}

pub(super) async fn revoke_sessions_of(
    tx: &mut Transaction<'_>,
    user: UserId,
    keep: Option<TokenId>,
    now: Timestamp,
) -> Result<Revoked, StoreError> {
    let rows = tx.fetch(&REVOKE_SESSIONS, args![user, now, keep]).await?;
    Ok(Revoked { tokens: revoked_tokens(&rows)?, keys: Vec::new() })
}

pub(super) async fn revoke_tokens_of_worker(
    tx: &mut Transaction<'_>,
    worker: WorkerId,
    now: Timestamp,
) -> Result<Revoked, StoreError> {
    let rows = tx.fetch(&REVOKE_TOKENS_OF_WORKER, args![worker, now]).await?;
    Ok(Revoked { tokens: revoked_tokens(&rows)?, keys: Vec::new() })
}

/// Ends all tokens and keys of a user, and what those keys enrolled.
pub(super) async fn revoke_everything_of(
    tx: &mut Transaction<'_>,
    user: UserId,
    now: Timestamp,
) -> Result<Revoked, StoreError> {
    let rows = tx.fetch(&REVOKE_TOKENS_OF_USER, args![user, now]).await?;
    let mut tokens = revoked_tokens(&rows)?;
    let ended = tx.fetch(&REVOKE_KEYS_OF_USER, args![user, now]).await?;
    let enrolled = with_enrolled(tx, &ended, now).await?;
    tokens.extend(enrolled.tokens);
    Ok(Revoked { tokens, keys: enrolled.keys })
}

async fn with_enrolled(tx: &mut Transaction<'_>, keys: &[Row], now: Timestamp) -> Result<Revoked, StoreError> {
    let keys: Vec<KeyId> =
        keys.iter().map(|row| row.of("keys", "key_id").parsed("key_id")).collect::<Result<_, _>>()?;
    let mut values = vec![array(&keys)?];
    values.extend(args![now]);
    let rows = tx.fetch(&REVOKE_ENROLLED, values).await?;
    Ok(Revoked { tokens: revoked_tokens(&rows)?, keys })
}

async fn revoke(
    tx: &mut Transaction<'_>,
    statement: &Statement,
    token: TokenId,
    now: Timestamp,
) -> Result<Revoked, StoreError> {
    let rows = tx.fetch(statement, args![token, now]).await?;
    Ok(Revoked { tokens: revoked_tokens(&rows)?, keys: Vec::new() })
}

fn revoked_tokens(rows: &[Row]) -> Result<Vec<RevokedToken>, StoreError> {
    let token = |row: &Row| {
        let fields = row.of("tokens", "token_id");
        Ok(RevokedToken {
            token_id: fields.parsed("token_id")?,
            user_id: fields.parsed("user_id")?,
            worker_id: fields.opt_parsed("worker_id")?,
        })
    };
    rows.iter().map(token).collect()
}

fn token_hash(fields: Fields<'_>, column: &'static str) -> Result<TokenHash, StoreError> {
    let bytes = fields.bytes(column)?;
    bytes.try_into().map(TokenHash).map_err(|_| fields.corrupt(column, "a hash has 32 bytes"))
}

fn token_record(fields: Fields<'_>) -> Result<TokenRecord, StoreError> {
    Ok(TokenRecord {
        token_id: fields.parsed("token_id")?,
        kind: fields.name("kind")?,
        user_id: fields.parsed("user_id")?,
        worker_id: fields.opt_parsed("worker_id")?,
        key_id: fields.opt_parsed("key_id")?,
        name: fields.text("name")?,
        scopes: fields.json("scopes")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.opt_time("expires_at")?,
        last_used_at: fields.opt_time("last_used_at")?,
    })
}

fn key_record(row: &Row) -> Result<KeyRecord, StoreError> {
    let fields = row.of("keys", "key_id");
    Ok(KeyRecord {
        key_id: fields.parsed("key_id")?,
        kind: fields.name("kind")?,
        user_id: fields.parsed("user_id")?,
        name: fields.text("name")?,
        scopes: fields.json("scopes")?,
        uses_left: fields.opt_count("uses_left")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.opt_time("expires_at")?,
        created_by: fields.parsed("created_by")?,
        last_used_at: fields.opt_time("last_used_at")?,
        revoked_at: fields.opt_time("revoked_at")?,
    })
}
