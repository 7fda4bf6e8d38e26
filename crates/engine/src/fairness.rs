//! Turns: who had how much slot-time lately.
//!
//! Time that was used fades by half every half-life, so that yesterday's heavy user is not punished for ever.

use std::time::Duration;

use swarm_model::Timestamp;

/// After this long, slot-time of a person counts half.
pub(crate) const USER_HALF_LIFE: Duration = Duration::from_secs(30 * 60);
/// After this long, slot-time of a machine counts half.
pub(crate) const WORKER_HALF_LIFE: Duration = Duration::from_secs(10 * 60);
/// What a claim costs at once, before its length is known: many short tasks must not look free.
pub(crate) const CLAIM_COST: Duration = Duration::from_secs(1);

/// A sum of seconds that fades.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faded {
    seconds: f64,
    at: Timestamp,
}

impl Faded {
    /// The sum as it counts at `now`.
    pub(crate) fn value(self, now: Timestamp, half_life: Duration) -> f64 {
        let half_lives = now.since(self.at).as_secs_f64() / half_life.as_secs_f64();
        self.seconds * (-half_lives).exp2()
    }

    /// Adds `span` at `now`.
    pub(crate) fn add(&mut self, span: Duration, now: Timestamp, half_life: Duration) {
        self.seconds = self.value(now, half_life) + span.as_secs_f64();
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_a_half_life() {
        let mut faded = Faded::default();
        let start = Timestamp::from_micros(1_000_000);
        faded.add(Duration::from_secs(100), start, USER_HALF_LIFE);
        assert!((faded.value(start + USER_HALF_LIFE, USER_HALF_LIFE) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_clock_that_jumps_back_makes_nothing_grow() {
        let mut faded = Faded::default();
        let late = Timestamp::from_micros(3_600_000_000);
        faded.add(Duration::from_secs(100), late, USER_HALF_LIFE);
        assert!((faded.value(Timestamp::EPOCH, USER_HALF_LIFE) - 100.0).abs() < 1e-9);
    }
}
