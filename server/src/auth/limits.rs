//! How often an address may try a secret.
//!
//! A name is limited together with the address that tries it, never alone: a stranger can use up their own
//! tries, but cannot lock the owner out.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use swarm_model::Clock;

use super::passwords::Visitor;
use crate::error::ApiError;
use crate::extract::ClientAddress;

/// Our clock as the rate limiters want it.
#[derive(Debug, Clone)]
pub(crate) struct LimiterClock(Arc<dyn Clock>);

impl LimiterClock {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self(Arc::clone(clock))
    }
}

impl GovernorClock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.now().as_micros()).unwrap_or(0).saturating_mul(1000))
    }
}

struct Limiter<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, LimiterClock, NoOpMiddleware<Nanos>>,
    clock: LimiterClock,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `burst` at once, then one every `every`.
    fn new(clock: &LimiterClock, burst: u32, every: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        Self {
            limiter: RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone()),
            clock: clock.clone(),
        }
    }

    fn take(&self, key: &K) -> Result<(), ApiError> {
        self.limiter.check_key(key).map_err(|refusal| ApiError::too_many(refusal.wait_time_from(self.clock.now())))
    }
}

/// Networks that are remembered; more of them begin anew.
const KNOWN_NETWORKS: usize = 10_000;

/// The limits on everything that checks a secret.
pub(crate) struct Limits {
    known: Mutex<HashSet<IpAddr>>,
    accounts: Limiter<(String, IpAddr)>,
    sign_ins: Limiter<IpAddr>,
    secrets: Limiter<IpAddr>,
    failures: Limiter<IpAddr>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

impl Limits {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        let clock = LimiterClock::new(clock);
        Self {
            known: Mutex::default(),
            accounts: Limiter::new(&clock, 10, Duration::from_secs(15)),
            sign_ins: Limiter::new(&clock, 60, Duration::from_secs(1)),
            secrets: Limiter::new(&clock, 30, Duration::from_secs(2)),
            failures: Limiter::new(&clock, 60, Duration::from_secs(1)),
        }
    }

    /// Somebody proved from there who they are.
    pub(crate) fn came_in(&self, from: ClientAddress) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_NETWORKS {
            known.clear();
        }
        known.insert(from.network());
    }

    /// Whether somebody did, since this coordinator started. This machine is always known.
    pub(crate) fn visitor(&self, from: ClientAddress) -> Visitor {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if from.is_loopback() || known.contains(&from.network()) { Visitor::Known } else { Visitor::Stranger }
    }

    /// One try of this account's password from there.
    pub(crate) fn password(&self, username: &str, from: ClientAddress) -> Result<(), ApiError> {
        self.sign_ins.take(&from.network())?;
        self.accounts.take(&(username.to_lowercase(), from.network()))
    }

    /// One try of a link, an invitation, a set-up token or a worker key from there.
    pub(crate) fn secret(&self, from: ClientAddress) -> Result<(), ApiError> {
        self.secrets.take(&from.network())
    }

    /// A bearer token from there that nobody knows.
    pub(crate) fn unknown_token(&self, from: ClientAddress) -> Result<(), ApiError> {
        self.failures.take(&from.network())
    }

    /// Forgets those who have not tried anything lately.
    pub(crate) fn forget_old(&self) {
        self.accounts.limiter.retain_recent();
        self.sign_ins.limiter.retain_recent();
        self.secrets.limiter.retain_recent();
        self.failures.limiter.retain_recent();
    }
}
