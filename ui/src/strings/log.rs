//! The log of a task.

pub const FOLLOWING: &str = "Following";
pub const SCROLL_HINT: &str = "scroll up to hold";
pub const FOLLOW: &str = "Follow";
pub const ENDED: &str = "Ended";
pub const WRAP: &str = "Wrap";
pub const OPEN_ALL: &str = "Open all calls";
pub const FOLD_ALL: &str = "Fold all calls";
pub const FIND: &str = "Find";
pub const FIND_LABEL: &str = "Find in the log";
pub const FIND_NEXT: &str = "Next place";
pub const FIND_BEFORE: &str = "Place before";
pub const FIND_CLOSE: &str = "Close the search";
pub const FIND_NONE: &str = "nowhere";
pub const EMPTY: &str = "Nothing has been said yet.";
pub const EMPTY_ENDED: &str = "It ended without saying anything.";
pub const LABEL: &str = "Log";
pub const CALL_RUNS: &str = "running";
pub const CALL_FAILED: &str = "failed";
pub const GONE: &str = "The coordinator no longer keeps the beginning of this log.";

pub fn attempt_begins(attempt: u32) -> String {
    format!("Attempt {attempt} begins here.")
}

pub fn missing_before(n: u64) -> String {
    let entries = crate::view::words::counted(n, "entry", "entries");
    format!("{entries} before this are not shown here. `garageswarm task logs` has them all.")
}

pub fn usage(parts: &str) -> String {
    format!("usage {parts}")
}

pub fn tokens_in(n: &str) -> String {
    format!("{n} in")
}

pub fn tokens_out(n: &str) -> String {
    format!("{n} out")
}

pub fn tokens_cached(n: &str) -> String {
    format!("{n} cached")
}

pub fn held_at(line: u64) -> String {
    format!("Held at {line}")
}

pub fn found(current: usize, count: usize) -> String {
    format!("{current} of {count}")
}
