//! Who may come in: credentials, sessions, tickets, passwords, limits, and the names that we go by.
//!
//! Secrets are opaque and kept as hashes. What a hash stands for is remembered in memory under a *generation*
//! that moves on with every change of a right, before anybody is told that the change was made: a revoked
//! credential is refused from that moment on, and one that stands costs no query.

mod access;
mod cache;
pub(crate) mod cookies;
mod identity;
mod instance;
mod limits;
pub(crate) mod names;
mod passwords;
mod relations;
mod revocations;
pub mod secret;
pub(crate) mod sessions;
mod tickets;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use subtle::ConstantTimeEq as _;
use swarm_model::rights::{Relation, Scope, Scopes};
use swarm_model::{Clock, Timestamp, TokenId, UserId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_store::people::UserRecord;
use swarm_store::token::{Credential, CredentialId, KeyKind, KeyRecord, Revoked, TokenKind, TokenRecord};
use swarm_store::{PeopleStore, StoreError, Stores, TokenHash, TokenStore};

use crate::config::Listening;
use crate::error::ApiError;
use crate::extract::ClientAddress;

use access::AccessTokens;
use cache::CredentialCache;
pub(crate) use identity::bearer;
pub use identity::{Identity, Person, Via, Who};
use instance::InstanceSecret;
pub(crate) use limits::LimiterClock;
use limits::Limits;
use names::KnownNames;
use passwords::Passwords;
pub(crate) use passwords::Visitor;
use relations::Relations;
pub use revocations::Revocation;
use revocations::{Held, Revocations};
use secret::{Issued, Purpose};
use tickets::Tickets;

/// Everything that decides who may come in.
#[derive(Debug)]
pub struct Auth {
    people: Arc<dyn PeopleStore>,
    tokens: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    instance: InstanceSecret,
    names: KnownNames,
    limits: Limits,
    passwords: Passwords,
    revocations: Arc<Revocations>,
    access: AccessTokens,
    tickets: Tickets,
    setup: Mutex<Option<TokenHash>>,
    relations: Relations,
}

impl Auth {
    pub(crate) fn new(
        config: &Listening,
        data_dir: &Path,
        stores: &Stores,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            people: Arc::clone(&stores.people),
            tokens: Arc::clone(&stores.tokens),
            instance: InstanceSecret::load(data_dir)?,
            names: KnownNames::new(config),
            limits: Limits::new(&clock),
            passwords: Passwords::default(),
            revocations: Arc::default(),
            access: AccessTokens::default(),
            tickets: Tickets::default(),
            setup: Mutex::new(None),
            relations: Relations::default(),
            clock,
        })
    }

    pub(crate) fn names(&self) -> &KnownNames {
        &self.names
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn cache(&self) -> &CredentialCache {
        &self.revocations.cache
    }

    /// Who sends this bearer token.
    pub(crate) async fn identify(&self, token: &str, from: ClientAddress) -> Result<Identity, ApiError> {
        let hash = TokenHash::of(token);
        let now = self.clock.now();
        let known = match self.cache().get(&hash, now) {
            Some(known) => Some(known),
            None => {
                let found = self.look_up(hash, now).await?;
                if found.is_some() {
                    self.limits.came_in(from);
                }
                found
            }
        };
        let Some((who, credential, generation)) = known else {
            self.limits.unknown_token(from)?;
            return Err(ApiError::unauthenticated());
        };
        let held = Held { credential, generation, revocations: Arc::clone(&self.revocations) };
        Ok(Identity::new(who, from, Some(held)))
    }

    async fn look_up(&self, hash: TokenHash, now: Timestamp) -> Result<Option<(Who, CredentialId, u64)>, StoreError> {
        // Taken before the first query: what changes from here on makes the answer count for nothing.
        let generation = self.cache().generation();
        let (who, id, expires_at) = if let Some(access) = self.access.get(&hash, now) {
            let who = self.browser(access.user_id, access.token_id, now).await?;
            (who, CredentialId::Token(access.token_id), Some(access.expires_at))
        } else {
            match self.tokens.credential(&hash, now).await? {
                Some(Credential::Token(token)) => {
                    let (id, expires_at) = (CredentialId::Token(token.token_id), token.expires_at);
                    (self.token_holder(token).await?, id, expires_at)
                }
                Some(Credential::Key(key)) => {
                    let (id, expires_at) = (CredentialId::Key(key.key_id), key.expires_at);
                    (self.key_holder(key).await?, id, expires_at)
                }
                None => return Ok(None),
            }
        };
        let Some(who) = who else { return Ok(None) };
        // A worker key changes with each use: it is asked anew each time.
        if !matches!(who, Who::Enroller(_)) {
            self.cache().put(hash, &who, id, expires_at, generation);
        }
        Ok(Some((who, id, generation)))
    }

    async fn browser(&self, user: UserId, session: TokenId, now: Timestamp) -> Result<Option<Who>, StoreError> {
        let Some(user) = self.active_user(user).await? else { return Ok(None) };
        let stands = self.token_stands(user.user_id, session, now).await?;
        Ok(stands.then(|| person(&user, Via::Browser(session))))
    }

    async fn token_holder(&self, token: TokenRecord) -> Result<Option<Who>, StoreError> {
        let Some(user) = self.active_user(token.user_id).await? else { return Ok(None) };
        Ok(match (token.kind, token.worker_id) {
            (TokenKind::Cli, _) => Some(person(&user, Via::CommandLine(token.token_id))),
            (TokenKind::Worker, Some(worker_id)) => {
                Some(Who::Worker { worker_id, owner: token.user_id, token_id: token.token_id })
            }
            // A refresh token and a link are exchanged, they open nothing themselves.
            (TokenKind::Session | TokenKind::SignIn | TokenKind::Worker, _) => None,
        })
    }

    async fn key_holder(&self, key: KeyRecord) -> Result<Option<Who>, StoreError> {
        let Some(user) = self.active_user(key.user_id).await? else { return Ok(None) };
        Ok(Some(match key.kind {
            KeyKind::Api => person(&user, Via::ApiKey(key.key_id, scopes_of(&key.scopes))),
            KeyKind::Worker => Who::Enroller(Box::new(key)),
        }))
    }

    async fn active_user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.people.user(user).await?.filter(|user| user.is_active))
    }

    async fn token_stands(&self, user: UserId, token: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.tokens.tokens_of(user, now).await?.iter().any(|record| record.token_id == token))
    }

    /// How a person stands to a worker, where that is known since the last change of a right.
    pub(crate) fn known_relation(&self, user: UserId, worker: WorkerId) -> Option<Relation> {
        self.relations.get(user, worker, self.cache().generation())
    }

    /// The generation of rights, to be asked before what [`Auth::keep_relation`] keeps is read.
    pub(crate) fn generation(&self) -> u64 {
        self.cache().generation()
    }

    /// Remembers how a person stands to a worker, as it was read in this generation of rights.
    pub(crate) fn keep_relation(&self, user: UserId, worker: WorkerId, generation: u64, relation: Relation) {
        self.relations.put(user, worker, generation, relation);
    }

    /// Forgets what was known of everybody's rights. Call it after the commit that changed one and before
    /// anybody is told; where credentials ended, [`crate::AppState::end_credentials`] does.
    pub fn rights_changed(&self) {
        self.cache().next_generation();
    }

    /// As [`Auth::rights_changed`], and the sockets of what ended are told.
    pub(crate) fn credentials_ended(&self, revoked: &Revoked) {
        self.rights_changed();
        self.revocations.tell(revoked);
    }

    /// A ticket with which the asker opens one socket, and its end.
    pub(crate) fn issue_ticket(&self, identity: &Identity) -> (String, Timestamp) {
        self.tickets.issue(identity.granted(), self.clock.now())
    }

    /// Whose ticket it is; it is spent with that.
    pub(crate) async fn use_ticket(&self, ticket: &str, from: ClientAddress) -> Result<Identity, ApiError> {
        let spent =
            || ApiError::new(ErrorCode::SpentCredential, "This ticket was used or has expired: ask for a new one.");
        let now = self.clock.now();
        let (who, held) = self.tickets.take(&TokenHash::of(ticket), now).ok_or_else(spent)?;
        let generation = self.cache().generation();
        match held {
            // Rights have changed since: look again.
            Some(held) if held.generation != generation => {
                let who = self.recheck(&who, now).await?.ok_or_else(spent)?;
                Ok(Identity::new(who, from, Some(Held { generation, ..held })))
            }
            held => Ok(Identity::new(who, from, held)),
        }
    }

    async fn recheck(&self, who: &Who, now: Timestamp) -> Result<Option<Who>, StoreError> {
        let Who::Person(Person { user_id, via, .. }) = who else { return Ok(None) };
        let stands = match via {
            Via::Browser(token) | Via::CommandLine(token) => self.token_stands(*user_id, *token, now).await?,
            Via::ApiKey(key, _) => {
                let key = self.tokens.key(*key).await?;
                key.is_some_and(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now))
            }
        };
        let user = self.active_user(*user_id).await?;
        Ok(user.filter(|_| stands).map(|user| person(&user, *via)))
    }

    /// Draws the token with which somebody becomes the owner of an instance that has none; `None` once it has
    /// one. It lives in memory: another start, another token.
    pub(crate) async fn draw_setup_token(&self) -> Result<Option<String>, StoreError> {
        if !self.people.users().await?.is_empty() {
            return Ok(None);
        }
        let Issued { secret, hash } = secret::issue(Purpose::SetUp);
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
        Ok(Some(secret))
    }

    pub(crate) fn is_setup_token(&self, token: &str) -> bool {
        let shown = TokenHash::of(token);
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        setup.is_some_and(|hash| bool::from(hash.0.ct_eq(&shown.0)))
    }

    pub(crate) fn end_setup(&self) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Writes when credentials were last used, and forgets what is over. Called now and then.
    pub(crate) async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.access.forget_ended(now);
        self.tickets.forget_ended(now);
        self.limits.forget_old();
        self.revocations.forget_closed();
        let uses = self.cache().take_uses(now);
        if uses.is_empty() { Ok(()) } else { self.tokens.touch(&uses).await }
    }
}

/// What an `api` key may do. One from before there were scopes may do all that has one; a name that this version
/// does not know allows nothing.
pub(crate) fn scopes_of(kept: &[String]) -> Scopes {
    if kept.is_empty() {
        return Scopes::all();
    }
    kept.iter().filter_map(|name| name.parse::<Scope>().ok()).collect()
}

fn person(user: &UserRecord, via: Via) -> Who {
    Who::Person(Person { user_id: user.user_id, role: user.role, via })
}
