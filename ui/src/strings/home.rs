//! The first page.

use crate::view::words::{capital, number};

pub const RUNNING: &str = "Running now";
pub const QUEUE: &str = "Queue";
pub const ALL_TASKS: &str = "All tasks";
pub const WAITING: &str = "Waiting";
pub const NOT_FINISHED: &str = "Did not finish";
pub const NOTHING_FAILED: &str = "Nothing failed lately.";
pub const QUEUE_EMPTY: &str = "The queue is empty.";
pub const NO_RUN: &str = "No run is going on. Submit a task, and it starts here as soon as a machine has a free slot.";
pub const LAST_DONE: &str = "Done lately";
pub const NOTHING_RUNS: &str = "Nothing is running.";
pub const PAUSED: &str = "Hand-out is paused; nothing new starts until it is resumed.";
pub const ALL_OFFLINE: &str = "Every machine is offline; tasks wait until one is back.";
pub const NO_LINES: &str = "Nothing said yet";

pub const FIRST_READY: &str = "This machine is ready. Give it a first task.";
pub const FIRST_WORKS: &str = "It works. Connect a real tool next.";
pub const FIRST_ALL_SET: &str = "Everything is set. Submit your first real task.";
pub const FIRST_NO_MACHINE: &str = "No machine has joined yet.";
pub const FIRST_HINT: &str = "This page follows along by itself.";
pub const SKIP: &str = "Go to Home instead";
pub const STEP_MACHINE: &str = "A machine of yours";
pub const STEP_MACHINE_WAITS: &str =
    "The coordinator runs without a worker. Add this machine, or another one, with the line below.";
pub const STEP_DEMO: &str = "Run the demonstration";
pub const STEP_DEMO_BODY: &str =
    "A scripted model answers; it needs no key and costs nothing. Queue, worker and log are real.";
pub const STEP_DEMO_BUTTON: &str = "Run the demonstration";
pub const STEP_DEMO_WAITS: &str = "Ready once a machine has joined";
pub const STEP_DEMO_SEE: &str = "Open its log";
pub const STEP_TOOL: &str = "Connect a real tool";
pub const STEP_TOOL_BODY: &str = "Install one of these on the machine, and its worker finds it by itself.";
pub const STEP_SECOND: &str = "Add a second machine";
pub const STEP_SECOND_BODY: &str =
    "Tasks go to whichever machine fits and is free. You can do this at any time on the page Workers.";

pub fn runs(n: u64, machines: u64) -> String {
    let runs = if n == 1 { "One run is going".to_owned() } else { format!("{} runs are going", capital(&number(n))) };
    match machines {
        0 => format!("{runs} on."),
        1 => format!("{runs} on one machine."),
        _ => format!("{runs} on {} machines.", number(machines)),
    }
}

pub fn only_queued(n: u64) -> String {
    if n == 1 {
        "One task waits in the queue; nothing is running.".to_owned()
    } else {
        format!("{} tasks wait in the queue; nothing is running.", capital(&number(n)))
    }
}

pub fn queue_behind(n: u64) -> String {
    if n == 1 {
        "One task waits in the queue.".to_owned()
    } else {
        format!("{} tasks wait in the queue.", capital(&number(n)))
    }
}

pub fn wait_for_you(n: u64) -> String {
    if n == 1 { "One thing waits for you.".to_owned() } else { format!("{} things wait for you.", capital(&number(n))) }
}

pub fn machines_ready(n: u64, tools: &str) -> String {
    let machines =
        if n == 1 { "One machine is ready".to_owned() } else { format!("{} machines are ready", capital(&number(n))) };
    if tools.is_empty() { format!("{machines}.") } else { format!("{machines} with {tools}.") }
}

pub fn are_paused(names: &str, n: usize) -> String {
    format!("{names} {} paused.", if n == 1 { "is" } else { "are" })
}

pub fn are_offline(names: &str, n: usize) -> String {
    format!("{names} {} offline.", if n == 1 { "is" } else { "are" })
}

pub fn and(before: &str, last: &str) -> String {
    format!("{before} and {last}")
}

pub fn machine_is_ready(name: &str, sentence: &str) -> String {
    format!("{name} is connected. {sentence}.")
}

pub fn tools_ready(tools: &str) -> String {
    format!("Ready: {tools}.")
}

pub fn demo_done(took: &str) -> String {
    format!("Done in {took}.")
}

pub fn second_joined(n: u64) -> String {
    format!("{} machines have joined.", capital(&number(n)))
}
