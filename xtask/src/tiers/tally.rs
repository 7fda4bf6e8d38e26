//! Counts: how many passed and failed, which failed, what was left out.

use std::{fmt, ops::AddAssign};

/// What a test says that was left out because recorded answers of the same program were tested.
const RECORDED: &str = "its recorded answers were played";

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What failed, by name.
    pub(crate) failures: Vec<String>,
    /// What did not run, for want of something.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A test that lacked something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) test: String,
    /// What it lacked, and how to get it.
    pub(crate) what: String,
}

impl Tally {
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn fail(&mut self, what: String) {
        println!("FAILED {what}");
        self.failed += 1;
        self.failures.push(what);
    }

    /// Where everything must run, what did not has failed; but not what was played from a recording instead.
    pub(crate) fn forbid_left_out(&mut self) {
        let (recorded, missing) =
            std::mem::take(&mut self.left_out).into_iter().partition(|left_out| left_out.what.contains(RECORDED));
        self.left_out = recorded;
        for left_out in missing {
            self.fail(format!("{}: left out: {}", left_out.test, left_out.what));
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.left_out.extend(other.left_out);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.left_out.is_empty() { Ok(()) } else { write!(f, ", {} left out", self.left_out.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_fails_where_nothing_may_be() {
        let left_out = LeftOut { test: "browser".to_owned(), what: "Chromium".to_owned() };
        let mut tally = Tally { passed: 3, left_out: vec![left_out], ..Tally::default() };
        tally += Tally { passed: 1, ..Tally::default() };
        assert_eq!(tally.to_string(), "4 passed, 0 failed, 1 left out");
        tally.forbid_left_out();
        assert_eq!(tally.to_string(), "4 passed, 1 failed");
        assert_eq!(tally.failures, ["browser: left out: Chromium"]);
    }

    #[test]
    fn what_was_played_from_a_recording_may_be_left_out() {
        let what = format!("a real Ollama; {RECORDED} (go is not here)");
        let left_out = vec![LeftOut { test: "endless".to_owned(), what }];
        let mut tally = Tally { passed: 3, left_out, ..Tally::default() };
        tally.forbid_left_out();
        assert_eq!(tally.to_string(), "3 passed, 0 failed, 1 left out");
    }
}
