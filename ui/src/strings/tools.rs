//! The tools of the swarm.

use crate::view::words::{counted, thousands};

pub const THE_TOOLS: &str = "The list of tools";
pub const LIST: &str = "Tools";
pub const NONE_YET: &str = "No machine has told of a tool yet";
pub const NONE_BODY: &str = "A machine that joins looks for the tools that it already has, and tells what it found.";
pub const NONE_READY: &str = "No tool is ready";
pub const NOT_READY: &str = "Not ready on any machine";
pub const MACHINES: &str = "Machines with";
pub const READY: &str = "ready";
pub const AWAY: &str = "its machine is offline";
pub const MODELS: &str = "Models";
pub const ANY_MODEL: &str = "any model";

pub fn headline(ready: u64, known: u64) -> String {
    match ready {
        0 => NONE_READY.to_owned(),
        1 => format!("1 of {} is ready", counted(known, "tool", "tools")),
        _ => format!("{ready} of {} are ready", counted(known, "tool", "tools")),
    }
}

pub fn ready_on(ready: u64, all: u64) -> String {
    if ready == 0 {
        NOT_READY.to_owned()
    } else {
        format!("Ready on {ready} of {}", counted(all, "machine", "machines"))
    }
}

pub fn free(free: u64, slots: u64) -> String {
    format!("{free} of {} free", counted(slots, "slot", "slots"))
}

pub fn account(label: &str) -> String {
    format!("account: {label}")
}

pub fn and_more(n: u64) -> String {
    format!("and {} more", thousands(n))
}
