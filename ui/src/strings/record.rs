//! The record of an attempt.

use crate::view::words::{counted, thousands};

pub const OUTCOME: &str = "Outcome";
pub const WHY: &str = "Why";
pub const LIMIT: &str = "Limit";
pub const TOOL: &str = "Tool";
pub const MODEL: &str = "Model";
pub const SESSION: &str = "Session";
pub const HANDED_OUT: &str = "Handed out";
pub const BEGAN: &str = "Began";
pub const ENDED: &str = "Ended";
pub const FIRST_WORD: &str = "First word";
pub const DID: &str = "Did";
pub const TOKENS: &str = "Tokens";
pub const COST: &str = "Cost";
pub const EXIT_CODE: &str = "Exit code";
pub const NOTE: &str = "Note";
pub const IT_WROTE: &str = "What it wrote last";
pub const LATE: &str = "Its result came too late and changed nothing.";
pub const RUNNING: &str = "Running";
pub const GIVEN_OUT: &str = "Given out";
pub const COMPLETED: &str = "Completed";
pub const CANCELLED: &str = "Cancelled";
pub const DECLINED: &str = "Declined";
pub const LOST: &str = "Lost";
pub const PARKED: &str = "Parked";
pub const NEEDS_YOU: &str = "Needs you";
pub const FAILED: &str = "Failed";
pub const NO_COST: &str = "no cost";
pub const NOT_KNOWN: &str = "not known";

pub fn outcome(words: &str, class: Option<&str>, took: Option<&str>, is_final: bool) -> String {
    let class = class.map(|class| format!(": {class}")).unwrap_or_default();
    let took = took.map(|took| format!(", after {took}")).unwrap_or_default();
    let again = if is_final { ". Another try would not help" } else { "" };
    format!("{words}{class}{took}{again}")
}

pub fn resets(at: &str, left: Option<&str>) -> String {
    left.map_or_else(|| format!("ended at {at}"), |left| format!("ends at {at}, in {left}"))
}

pub fn asked_for(answered: &str, asked: &str) -> String {
    format!("{answered} (asked for {asked})")
}

pub fn after(span: &str) -> String {
    format!("after {span}")
}

pub fn turns(n: u64) -> String {
    counted(n, "turn", "turns")
}

pub fn tool_calls(n: u64) -> String {
    counted(n, "tool call", "tool calls")
}

pub fn files_changed(n: u64) -> String {
    counted(n, "file changed", "files changed")
}

pub fn tokens(input: &str, output: &str) -> String {
    format!("{input} in, {output} out")
}

pub fn from_cache(n: u64) -> String {
    format!("{} from cache", thousands(n))
}

pub fn to_cache(n: u64) -> String {
    format!("{} to cache", thousands(n))
}

pub fn of_reasoning(n: u64) -> String {
    format!("{} of reasoning", thousands(n))
}

pub fn with_aside(n: u64, aside: &[String]) -> String {
    let n = thousands(n);
    if aside.is_empty() { n } else { format!("{n} ({})", aside.join(", ")) }
}

pub fn reported(amount: &str) -> String {
    format!("{amount} as the tool says")
}

pub fn priced(amount: &str) -> String {
    format!("{amount} by price list")
}
