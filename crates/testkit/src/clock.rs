//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use swarm_model::{Clock, Timestamp};

/// Noon of the last day of January 2026.
const START: i64 = 1_769_860_800_000_000;

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Moves on by `span`.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }

    /// Jumps to `now`, also backwards, as machines' clocks do.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::at(Timestamp::from_micros(START))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_moved() {
        let clock = FakeClock::default();
        let shared = clock.clone();
        assert_eq!(clock.now().to_string(), "2026-01-31T12:00:00.000000Z");
        shared.advance(Duration::from_secs(1));
        assert_eq!(clock.now().to_string(), "2026-01-31T12:00:01.000000Z");
    }
}
