//! The models of a provider, asked for now and then.
//!
//! A list is asked for at the start, after a change of key or address, and then every ten minutes; every minute where
//! nobody answered. Heartbeats in between see what was found. No start waits longer than two seconds for it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;

/// How long a provider may take to say that it is there.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const FRESH: Duration = Duration::from_mins(10);
const FRESH_FAILURE: Duration = Duration::from_mins(1);
/// Names that a worker tells of one tool; some routers have thousands.
const MAX_MODELS: usize = 500;
const MAX_NAME: usize = 128;

/// What a provider said when it was asked for its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listing {
    /// It has these; an empty list says nothing about any.
    Models(Vec<String>),
    /// It refused the key.
    KeyRefused(String),
    /// Nobody answered.
    Unreachable(String),
}

impl Listing {
    pub(crate) fn models(self) -> Vec<String> {
        match self {
            Self::Models(models) => models,
            Self::KeyRefused(_) | Self::Unreachable(_) => Vec::new(),
        }
    }

    fn bounded(self) -> Self {
        let Self::Models(mut models) = self else { return self };
        models.retain(|name| name.len() <= MAX_NAME);
        models.truncate(MAX_MODELS);
        Self::Models(models)
    }
}

/// What was said last, for one account.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    last: Mutex<Option<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    account: u64,
    at: Instant,
    listing: Listing,
}

impl Catalogue {
    /// The models of an account: those that are known, or what `ask` finds.
    pub(crate) async fn of<F: Future<Output = Listing>>(&self, account: &Account, ask: impl FnOnce() -> F) -> Listing {
        let name = name_of(account);
        let before = self.entry(name);
        if let Some(entry) = before.as_ref().filter(|entry| entry.at.elapsed() < entry.fresh()) {
            return entry.listing.clone();
        }
        let listing = match tokio::time::timeout(PROBE_TIMEOUT, ask()).await {
            Ok(listing) => listing.bounded(),
            Err(_) => Listing::Unreachable(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
        };
        // An answer that names no models takes none away: the server may be busy.
        let listing = match (listing, before.map(|entry| entry.listing)) {
            (Listing::Models(now), Some(Listing::Models(known))) if now.is_empty() => Listing::Models(known),
            (now, _) => now,
        };
        let entry = Entry { account: name, at: Instant::now(), listing: listing.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        listing
    }

    /// The models that are known without asking.
    pub(crate) fn known(&self, account: &Account) -> Vec<String> {
        self.entry(name_of(account)).map(|entry| entry.listing.models()).unwrap_or_default()
    }

    fn entry(&self, account: u64) -> Option<Entry> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|entry| entry.account == account).cloned()
    }
}

impl Entry {
    fn fresh(&self) -> Duration {
        if matches!(self.listing, Listing::Models(_)) { FRESH } else { FRESH_FAILURE }
    }
}

/// Tells accounts apart, and keeps no key.
fn name_of(account: &Account) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.base.hash(&mut hasher);
    account.key.as_ref().map(|key| (key.expose(), key.variable)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::account::OPENAI;
    use crate::settings::ToolSettings;
    use crate::variables::Variables;

    fn account(key: &str) -> Account {
        let variables: Variables = [("OPENAI_API_KEY", key)].into_iter().collect();
        Account::resolve(&OPENAI, &ToolSettings::default(), &variables).unwrap()
    }

    /// Asks once for each step, after its pause; counts how often the provider was asked.
    async fn asked(steps: &[(u64, &str, Listing)]) -> (usize, Listing) {
        let (catalogue, n) = (Catalogue::default(), Cell::new(0));
        let mut last = Listing::Models(Vec::new());
        for (pause, key, says) in steps {
            tokio::time::advance(Duration::from_secs(*pause)).await;
            last = catalogue
                .of(&account(key), || {
                    n.set(n.get() + 1);
                    std::future::ready(says.clone())
                })
                .await;
        }
        (n.get(), last)
    }

    fn models(names: &[&str]) -> Listing {
        Listing::Models(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_asked_for_now_and_then() {
        let (a, down) = (models(&["a"]), Listing::Unreachable("down".to_owned()));
        let steps = [(0, "k", a.clone()), (30, "k", a.clone()), (569, "k", a.clone()), (2, "k", a.clone())];
        assert_eq!(asked(&steps).await, (2, a.clone()));
        let other_key = [(0, "k", a.clone()), (1, "k2", models(&["b"]))];
        assert_eq!(asked(&other_key).await, (2, models(&["b"])));
        let failing = [(0, "k", down.clone()), (30, "k", down.clone()), (31, "k", a.clone())];
        assert_eq!(asked(&failing).await, (2, a.clone()));
        let busy = [(0, "k", a.clone()), (601, "k", models(&[]))];
        assert_eq!(asked(&busy).await, (2, a));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_silent_provider() {
        let (catalogue, started) = (Catalogue::default(), Instant::now());
        let listing = catalogue.of(&account("k"), std::future::pending).await;
        assert!(matches!(listing, Listing::Unreachable(_)), "{listing:?}");
        assert!(started.elapsed() <= PROBE_TIMEOUT + Duration::from_millis(10));
    }
}
