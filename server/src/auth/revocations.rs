//! Tells open sockets that the credential behind them has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use swarm_store::token::{CredentialId, Revoked};
use tokio_util::sync::CancellationToken;

use super::cache::CredentialCache;

/// Who waits for the end of which credential.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    waiting: Mutex<HashMap<CredentialId, Weak<CancellationToken>>>,
    /// Here, so that "which generation is it" and "who waits" are asked of one thing.
    pub(super) cache: CredentialCache,
}

impl Revocations {
    /// Ends what has ended: called after the commit, when the cache has moved on.
    pub(super) fn tell(&self, revoked: &Revoked) {
        let ended = revoked.tokens.iter().map(|token| CredentialId::Token(token.token_id));
        let ended = ended.chain(revoked.keys.iter().copied().map(CredentialId::Key));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for token in ended.filter_map(|id| waiting.remove(&id)).filter_map(|token| token.upgrade()) {
            token.cancel();
        }
    }

    /// Forgets the sockets that have closed.
    pub(super) fn forget_closed(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, token| token.strong_count() > 0);
    }

    fn watch(&self, credential: CredentialId) -> Arc<CancellationToken> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = waiting.get(&credential).and_then(Weak::upgrade) {
            return token;
        }
        let token = Arc::new(CancellationToken::new());
        waiting.insert(credential, Arc::downgrade(&token));
        token
    }
}

/// A credential as it was found to be valid.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) credential: CredentialId,
    /// The generation of rights in which it was.
    pub(super) generation: u64,
    pub(super) revocations: Arc<Revocations>,
}

impl Held {
    /// Waits for its end from now on. Where rights have changed since it was found valid, that counts as its end:
    /// the news may have come between, and whoever still may comes back.
    pub(super) fn watch(&self) -> Revocation {
        let token = self.revocations.watch(self.credential);
        if self.revocations.cache.generation() == self.generation { Revocation(token) } else { Revocation::already() }
    }
}

/// The end of a credential.
#[derive(Debug, Clone)]
pub struct Revocation(Arc<CancellationToken>);

impl Revocation {
    /// An end that never comes: nothing was shown that could end.
    pub(super) fn never() -> Self {
        Self(Arc::new(CancellationToken::new()))
    }

    fn already() -> Self {
        let token = CancellationToken::new();
        token.cancel();
        Self(Arc::new(token))
    }

    /// Waits for the end; returns at once when it has come.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Whether it has come.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::time::SystemClock;
    use swarm_model::{KeyId, TokenId, UserId};
    use swarm_store::token::RevokedToken;

    use super::*;

    fn held(revocations: &Arc<Revocations>, credential: CredentialId) -> Held {
        Held { credential, generation: revocations.cache.generation(), revocations: Arc::clone(revocations) }
    }

    #[test]
    fn only_the_sockets_of_what_ended_are_told() {
        let revocations = Arc::new(Revocations::default());
        let (token_id, key_id) = (TokenId::generate(&SystemClock), KeyId::generate(&SystemClock));
        let of_token = [
            held(&revocations, CredentialId::Token(token_id)).watch(),
            held(&revocations, CredentialId::Token(token_id)).watch(),
        ];
        let of_key = held(&revocations, CredentialId::Key(key_id)).watch();

        let token = RevokedToken { token_id, user_id: UserId::generate(&SystemClock), worker_id: None };
        revocations.tell(&Revoked { tokens: vec![token], keys: Vec::new() });
        assert!(of_token.iter().all(Revocation::is_cancelled));
        assert!(!of_key.is_cancelled());

        revocations.tell(&Revoked { tokens: Vec::new(), keys: vec![key_id] });
        assert!(of_key.is_cancelled());
    }

    /// The credential was checked, then revoked, and only then the socket began to wait.
    #[test]
    fn news_that_came_between_is_not_missed() {
        let revocations = Arc::new(Revocations::default());
        let token_id = TokenId::generate(&SystemClock);
        let held = held(&revocations, CredentialId::Token(token_id));
        revocations.cache.next_generation();
        revocations.tell(&Revoked::default());
        assert!(held.watch().is_cancelled());
    }

    #[test]
    fn closed_sockets_are_forgotten() {
        let revocations = Arc::new(Revocations::default());
        let watched = held(&revocations, CredentialId::Key(KeyId::generate(&SystemClock))).watch();
        revocations.forget_closed();
        assert_eq!(revocations.waiting.lock().unwrap().len(), 1);
        drop(watched);
        revocations.forget_closed();
        assert_eq!(revocations.waiting.lock().unwrap().len(), 0);
    }
}
