//! What the hashes of credentials stand for, as long as no right changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use swarm_model::Timestamp;
use swarm_store::TokenHash;
use swarm_store::token::CredentialId;

use super::Who;

#[derive(Debug)]
struct Known {
    who: Who,
    id: CredentialId,
    expires_at: Option<Timestamp>,
    generation: u64,
    /// Microseconds of the last use; zero once it was written.
    used_at: AtomicI64,
}

impl Known {
    fn counts(&self, generation: u64, now: Timestamp) -> bool {
        self.generation == generation && self.expires_at.is_none_or(|end| end > now)
    }
}

/// Only what is valid is remembered, so that guessing fills nothing.
#[derive(Debug, Default)]
pub(super) struct CredentialCache {
    known: RwLock<HashMap<TokenHash, Known>>,
    generation: AtomicU64,
}

impl CredentialCache {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn get(&self, hash: &TokenHash, now: Timestamp) -> Option<(Who, CredentialId, u64)> {
        let generation = self.generation();
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(hash).filter(|known| known.counts(generation, now))?;
        known.used_at.store(now.as_micros(), Ordering::Relaxed);
        Some((known.who.clone(), known.id, generation))
    }

    /// Remembers what was found while `generation` was the current one.
    pub(super) fn put(
        &self,
        hash: TokenHash,
        who: &Who,
        id: CredentialId,
        expires_at: Option<Timestamp>,
        generation: u64,
    ) {
        let known = Known { who: who.clone(), id, expires_at, generation, used_at: AtomicI64::new(0) };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(hash, known);
    }

    /// The uses since the last call; what no longer counts is forgotten.
    pub(super) fn take_uses(&self, now: Timestamp) -> Vec<(CredentialId, Timestamp)> {
        let generation = self.generation();
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let uses = all
            .values()
            .filter_map(|known| match known.used_at.swap(0, Ordering::Relaxed) {
                0 => None,
                micros => Some((known.id, Timestamp::from_micros(micros))),
            })
            .collect();
        all.retain(|_, known| known.counts(generation, now));
        uses
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_model::TokenId;
    use swarm_model::time::SystemClock;

    use super::*;

    fn hash() -> TokenHash {
        TokenHash::of("x")
    }

    fn id() -> CredentialId {
        CredentialId::Token(TokenId::generate(&SystemClock))
    }

    #[test]
    fn a_change_of_rights_ends_what_was_known() {
        let cache = CredentialCache::default();
        let now = Timestamp::EPOCH;
        cache.put(hash(), &Who::Anonymous, id(), None, cache.generation());
        assert!(cache.get(&hash(), now).is_some());
        cache.next_generation();
        assert!(cache.get(&hash(), now).is_none());
    }

    /// A look-up that began before a change and ends after it must not bring the old right back.
    #[test]
    fn a_look_up_that_was_overtaken_counts_for_nothing() {
        let cache = CredentialCache::default();
        let before = cache.generation();
        cache.next_generation();
        cache.put(hash(), &Who::Anonymous, id(), None, before);
        assert!(cache.get(&hash(), Timestamp::EPOCH).is_none());
    }

    #[test]
    fn what_expires_is_refused_in_time() {
        let cache = CredentialCache::default();
        let end = Timestamp::EPOCH + Duration::from_secs(10);
        cache.put(hash(), &Who::Anonymous, id(), Some(end), cache.generation());
        assert!(cache.get(&hash(), Timestamp::EPOCH).is_some());
        assert!(cache.get(&hash(), end).is_none());
    }

    #[test]
    fn a_use_is_told_once() {
        let cache = CredentialCache::default();
        let now = Timestamp::from_micros(5);
        let id = id();
        cache.put(hash(), &Who::Anonymous, id, None, cache.generation());
        assert_eq!(cache.take_uses(now), []);
        cache.get(&hash(), now).unwrap();
        assert_eq!(cache.take_uses(now), [(id, now)]);
        assert_eq!(cache.take_uses(now), []);
    }
}
