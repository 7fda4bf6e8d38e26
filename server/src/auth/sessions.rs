//! Sessions: how they open, go on and end.

use std::time::Duration;

use swarm_model::{Timestamp, TokenId};
use swarm_proto::ErrorCode;
use swarm_proto::auth::{Session, SessionKind, User};
use swarm_store::people::UserRecord;
use swarm_store::token::{LinkedSession, NewToken, Rotate, Rotation, TokenKind};
use swarm_store::{AuditEntry, TokenHash};

use super::secret::{self, Issued, Purpose};
use crate::error::ApiError;
use crate::state::AppState;

/// How long a browser stays signed in without a visit.
const BROWSER_LIFE: Duration = Duration::from_hours(30 * 24);
/// How long a command line stays signed in.
pub(crate) const COMMAND_LINE_LIFE: Duration = Duration::from_hours(90 * 24);
/// How long a spent refresh token gets the same successor, so that two tabs do not sign each other out.
const GRACE: Duration = Duration::from_secs(30);
/// How many exchanges may happen within the grace.
const MAX_CHAIN: usize = 64;

/// An open session: what its holder is told, and for a browser what its cookie holds and until when.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) cookie: Option<(String, Timestamp)>,
}

/// What a new session's credential is.
fn credential(kind: SessionKind, now: Timestamp) -> (TokenKind, Issued, Timestamp) {
    match kind {
        SessionKind::Browser => (TokenKind::Session, secret::issue(Purpose::Refresh), now + BROWSER_LIFE),
        SessionKind::Cli => (TokenKind::Cli, secret::issue(Purpose::CommandLine), now + COMMAND_LINE_LIFE),
    }
}

impl AppState {
    /// Opens a session for somebody who has proved who they are.
    pub(crate) async fn open_session(
        &self,
        user: UserRecord,
        kind: SessionKind,
        name: String,
        audit: &AuditEntry,
    ) -> Result<Opened, ApiError> {
        let now = self.now();
        let token_id = self.new_id(TokenId::new);
        let (token_kind, issued, expires_at) = credential(kind, now);
        let token = NewToken {
            token_id,
            kind: token_kind,
            user_id: user.user_id,
            worker_id: None,
            key_id: None,
            name,
            hash: issued.hash,
            scopes: Vec::new(),
            expires_at: Some(expires_at),
        };
        self.stores.tokens.create_token(&token, audit).await?;
        self.opened(user, token_id, kind, issued.secret, expires_at).await
    }

    /// Opens a session for the holder of a sign-in link.
    pub(crate) async fn open_linked_session(
        &self,
        link: &str,
        kind: SessionKind,
        name: String,
        audit: &AuditEntry,
    ) -> Result<Opened, ApiError> {
        let now = self.now();
        let (token_kind, issued, expires_at) = credential(kind, now);
        let session = LinkedSession {
            token_id: self.new_id(TokenId::new),
            kind: token_kind,
            name,
            hash: issued.hash,
            expires_at: Some(expires_at),
        };
        let token = self.stores.tokens.exchange_link(&TokenHash::of(link), &session, audit).await?;
        let user = self.stores.people.user(token.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
        self.opened(user, token.token_id, kind, issued.secret, expires_at).await
    }

    async fn opened(
        &self,
        user: UserRecord,
        token_id: TokenId,
        kind: SessionKind,
        secret: String,
        expires_at: Timestamp,
    ) -> Result<Opened, ApiError> {
        let now = self.now();
        self.stores.people.note_login(user.user_id, now).await?;
        let user = UserRecord { last_login: Some(now), ..user };
        Ok(match kind {
            SessionKind::Browser => {
                let (access_token, access_ends) = self.auth.access.issue(token_id, user.user_id, now);
                Opened {
                    session: Session { access_token, expires_at: access_ends, user: shown(user) },
                    cookie: Some((secret, expires_at)),
                }
            }
            SessionKind::Cli => {
                Opened { session: Session { access_token: secret, expires_at, user: shown(user) }, cookie: None }
            }
        })
    }

    /// Exchanges a browser's refresh token for the next one and a new access token.
    ///
    /// Two tabs share a cookie: while one goes on, the other may still show what was spent a moment ago. It gets
    /// the same successor; and where the first tab has spent that one too, the way is followed to what counts now.
    pub(crate) async fn renew_session(&self, presented: &str, reuse: &AuditEntry) -> Result<Opened, ApiError> {
        let now = self.now();
        let tokens = &self.stores.tokens;
        let expires_at = now + BROWSER_LIFE;
        let mut presented = presented.to_owned();
        for _ in 0..MAX_CHAIN {
            let successor = self.auth.instance.successor(&presented);
            let hash = TokenHash::of(&successor);
            let rotation =
                Rotate { presented: TokenHash::of(&presented), successor: hash, now, grace: GRACE, expires_at };
            match tokens.rotate(&rotation, reuse).await? {
                Rotation::Granted { token, .. } => {
                    if tokens.credential(&hash, now).await?.is_some() {
                        let user = self.stores.people.user(token.user_id).await?;
                        let user = user.filter(|user| user.is_active).ok_or_else(signed_out)?;
                        let (access_token, access_ends) = self.auth.access.issue(token.token_id, token.user_id, now);
                        let session = Session { access_token, expires_at: access_ends, user: shown(user) };
                        return Ok(Opened { session, cookie: Some((successor, expires_at)) });
                    }
                    presented = successor;
                }
                Rotation::Reused(revoked) => {
                    tracing::warn!("a spent refresh token was shown again: its session was ended");
                    self.end_credentials(&revoked).await;
                    break;
                }
                Rotation::Unknown => break,
            }
        }
        Err(signed_out())
    }
}

fn signed_out() -> ApiError {
    ApiError::new(ErrorCode::SpentCredential, "This session has ended: sign in again.")
}

/// A user as they and admins see them.
pub(crate) fn shown(user: UserRecord) -> User {
    User {
        user_id: user.user_id,
        username: user.username,
        email: user.email,
        role: user.role,
        is_active: user.is_active,
        has_password: user.password_hash.is_some(),
        created_at: user.created_at,
        last_login: user.last_login,
    }
}
