//! The machines.

use crate::view::words::counted;

pub const NO_MACHINE: &str = "No machine has joined yet";
pub const COLUMN_MACHINE: &str = "Machine";
pub const COLUMN_TOOLS: &str = "Tools, and what it runs";
pub const COLUMN_NOW: &str = "Now";
pub const LIST: &str = "Machines";
pub const THE_LIST: &str = "The list of machines";
pub const CPU: &str = "CPU";
pub const MEMORY: &str = "Mem";
pub const DISK: &str = "Disk";
pub const SHARED: &str = "shared";
pub const VIEWER: &str = "view only";
pub const PAUSED_HERE: &str = "Paused here";
pub const PAUSED_THERE: &str = "Paused on the machine itself";
pub const PAUSED_BOTH: &str = "Paused here and on the machine itself";
pub const ASLEEP: &str = "Asleep; goes on when the phone wakes";
pub const NEVER_HEARD: &str = "Offline; never heard of since it joined";
pub const SIGNED_OUT: &str = "signed out";
pub const NOT_FOUND: &str = "not found";
pub const NOT_ALLOWED: &str = "switched off";
pub const NOT_ALLOWED_FIX: &str = "The machine's owner can allow it with `--allow-tool`.";
pub const NO_TOOLS: &str = "No tools";
pub const OTHERS_RUN: &str = "another person's run";

pub const ACTIONS: &str = "Actions for";
pub const PAUSE: &str = "Pause";
pub const RESUME: &str = "Resume";
pub const DRAIN: &str = "Drain";
pub const REMOVE: &str = "Remove";
pub const PAUSE_HINT: &str = "What runs goes on; nothing new starts there.";
pub const DRAIN_HINT: &str = "Finishes what it has, then takes nothing new until you resume it.";
pub const RESUME_HINT: &str = "Takes new work again.";
pub const REMOVE_HINT: &str = "Ends its credential for good.";
pub const REMOVE_ASK_BODY: &str = "Its credential ends at once, and what it runs goes back to the queue. Logs and results stay. To come back, it needs a new key.";
pub const SEE_TASKS: &str = "Its tasks";

pub const ADD: &str = "Add a machine";
pub const ADD_BODY: &str = "Run this on the other machine, where `garageswarm` is installed. The key lets one machine in, once, within an hour.";
pub const ADD_MAKING: &str = "Making a key";
pub const ADD_LOOPBACK: &str =
    "This coordinator listens on its own machine only. From another one, open a tunnel first and leave it open:";
pub const ADD_WAITING: &str = "Waiting for the machine to say hello";
pub const ADD_WAITING_BODY: &str = "It appears here by itself.";
pub const ADD_NEW_KEY: &str = "Make a new key";
pub const ADD_DONE: &str = "Done";
pub const ADD_KEY_NAME: &str = "Made on the panel";
pub const WHAT_IT_DOES: &str = "What the line does";
pub const WHAT_IT_DOES_LINES: [&str; 4] = [
    "Registers that machine here under its own name, with a credential of its own.",
    "Looks for the tools that it already has. It installs none.",
    "Runs tasks of yours, in folders of their own. `--allow-tool command` lets it run plain commands too.",
    "Needs no key when it is started again.",
];

pub fn ready(free: u64) -> String {
    format!("Ready, {} free", counted(free, "slot", "slots"))
}

pub fn busy(running: u32, slots: u32) -> String {
    format!("{running} of {} busy", slots.max(running))
}

pub fn working(running: u64, free: u64) -> String {
    let free = if free == 0 { "no slot".to_owned() } else { counted(free, "slot", "slots") };
    format!("Working on {}, {free} free", counted(running, "task", "tasks"))
}

pub fn paused(who: &str, running: u64) -> String {
    if running == 0 { who.to_owned() } else { format!("{who}; {} on", counted(running, "task goes", "tasks go")) }
}

pub fn draining(running: u64) -> String {
    if running == 0 {
        "Drained; takes nothing new until you resume it".to_owned()
    } else {
        format!("Finishes {} and takes nothing new", counted(running, "task", "tasks"))
    }
}

pub fn offline_since(at: &str) -> String {
    format!("Offline since {at}")
}

pub fn last_heard(at: &str, ago: &str) -> String {
    format!("Last heard {at}, {ago} ago")
}

pub fn headline(working: u64, all: u64, free: u64) -> String {
    let free = match free {
        0 => "no slot is free".to_owned(),
        1 => "1 slot is free".to_owned(),
        n => format!("{n} slots are free"),
    };
    match (working, all) {
        (0, _) => format!("No machine is working, {free}"),
        (1, 1) => format!("Your machine is working, {free}"),
        (1, _) => format!("1 of {all} machines is working, {free}"),
        _ => format!("{working} of {all} machines are working, {free}"),
    }
}

pub fn remove_ask(name: &str) -> String {
    format!("Remove {name}?")
}

pub fn remove_confirm(name: &str) -> String {
    format!("Remove {name}")
}

pub fn removed(name: &str) -> String {
    format!("{name} is removed.")
}

pub fn joined(name: &str) -> String {
    format!("{name} has joined.")
}

pub fn key_until(at: &str) -> String {
    format!("The key ends at {at}.")
}
