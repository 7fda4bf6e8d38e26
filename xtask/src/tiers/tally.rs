//! Counts: how many passed and failed, which failed, what was left out.

use std::{fmt, ops::AddAssign};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What failed, by name.
    pub(crate) failures: Vec<String>,
    /// What was not tested, and how to get what it needs.
    pub(crate) left_out: Vec<String>,
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

    /// Where everything must run, what did not has failed.
    pub(crate) fn forbid_left_out(&mut self) {
        for what in std::mem::take(&mut self.left_out) {
            self.fail(format!("left out: {what}"));
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        for what in other.left_out {
            if !self.left_out.contains(&what) {
                self.left_out.push(what);
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_fails_where_nothing_may_be() {
        let mut tally = Tally { passed: 3, left_out: vec!["Chromium".to_owned()], ..Tally::default() };
        tally += Tally { passed: 1, left_out: vec!["Chromium".to_owned()], ..Tally::default() };
        assert_eq!(tally.left_out.len(), 1);
        tally.forbid_left_out();
        assert_eq!(tally.to_string(), "4 passed, 1 failed");
    }
}
