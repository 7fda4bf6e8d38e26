//! Numbered steps with their times, so that people see what goes on and how far it is.

use std::time::{Duration, Instant};

use anyhow::Result;

/// A row of steps whose number is known beforehand.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    started: usize,
    since: Instant,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, started: 0, since: Instant::now() }
    }

    /// Carries out the next step and tells its time.
    pub(crate) fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.started += 1;
        let place = format!("[{}/{}]", self.started, self.total);
        println!("{place} {what}");
        let start = Instant::now();
        let done = work()?;
        println!("{place} done in {}, {} since the start", short(start.elapsed()), short(self.since.elapsed()));
        Ok(done)
    }
}

/// A duration as people say it.
pub(crate) fn short(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_say_them() {
        assert_eq!(short(Duration::from_millis(340)), "0.3 s");
        assert_eq!(short(Duration::from_secs(59)), "59.0 s");
        assert_eq!(short(Duration::from_secs(125)), "2 min 05 s");
    }
}
