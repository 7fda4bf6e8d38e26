//! The line to the coordinator: whether what is shown is live, and how one waits for it to come back.

use std::time::Duration;

use swarm_model::Timestamp;

use super::words::{self, Moment};
use crate::strings::shell as text;

/// The state of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It was not there yet.
    Opening,
    /// What is shown is live.
    Live,
    /// It broke.
    Broken {
        /// From when what is shown is.
        since: Timestamp,
        /// Which try comes next.
        next_try: u32,
        /// When.
        at: Timestamp,
    },
}

impl Line {
    /// Whether what is shown may be old.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// How long to wait before try number `n` (from 1): half a second, doubling, a quarter of a minute at most, and up to
/// a fifth more by chance, so that not everybody comes back in the same moment.
pub fn pause_before(n: u32, chance: f64) -> Duration {
    let doubled = 0.5 * 2_f64.powi(i32::try_from(n.clamp(1, 10)).unwrap_or(10) - 1);
    Duration::from_secs_f64(doubled.min(15.0) * (1.0 + 0.2 * chance.clamp(0.0, 1.0)))
}

/// What stands over the page while the line is broken.
pub fn banner(line: Line, host: &str, moment: Moment) -> Option<String> {
    let Line::Broken { since, next_try, at } = line else { return None };
    let left = at.since(moment.now).as_secs_f64().ceil() as u64;
    let seen = words::time_of_day(since, moment.zone_minutes);
    Some(if left == 0 {
        text::reconnecting_now(host, next_try, &seen)
    } else {
        text::reconnecting(host, next_try, left, &seen)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::{MOMENT, ago};

    #[test]
    fn pauses_grow_and_have_a_bound() {
        let pauses: Vec<_> = [1, 2, 3, 6, 50].map(|n| pause_before(n, 0.0).as_millis()).into();
        assert_eq!(pauses, [500, 1000, 2000, 15_000, 15_000]);
        assert_eq!(pause_before(1, 1.0).as_millis(), 600);
    }

    #[test]
    fn a_broken_line_says_how_old_the_page_is() {
        let at = MOMENT.now + Duration::from_secs(4);
        let line = Line::Broken { since: ago(0), next_try: 3, at };
        assert_eq!(
            banner(line, "attic-nas", MOMENT).as_deref(),
            Some("Reconnecting to attic-nas. Try 3, next in 4 s. What you see is from 15:31:07.")
        );
        let now = Line::Broken { since: ago(0), next_try: 3, at: MOMENT.now };
        assert_eq!(
            banner(now, "attic-nas", MOMENT).as_deref(),
            Some("Reconnecting to attic-nas. Try 3. What you see is from 15:31:07.")
        );
        assert_eq!(banner(Line::Live, "attic-nas", MOMENT), None);
    }
}
