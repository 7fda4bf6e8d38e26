//! The list of tasks, and the form that submits one.

use crate::view::words::{counted, thousands};

pub const ALL: &str = "All";
pub const RUNNING: &str = "Running";
pub const QUEUED: &str = "Queued";
pub const WAITING: &str = "Waiting";
pub const FAILED: &str = "Failed";
pub const DONE: &str = "Done";
pub const CANCELLED: &str = "Cancelled";
pub const NONE_YET: &str = "No tasks yet";
pub const LIST: &str = "Tasks, the newest first";
pub const FILTER: &str = "Show";
pub const SEARCH: &str = "Search prompts";
pub const ANY_WORKER: &str = "Any worker";
pub const ANY_TOOL: &str = "Any tool";
pub const WORKER: &str = "Worker";
pub const TOOL: &str = "Tool";
pub const COLUMN_TASK: &str = "Task";
pub const COLUMN_STATUS: &str = "Status";
pub const COLUMN_TITLE: &str = "Title";
pub const COLUMN_AGE: &str = "Age";
pub const COLUMN_TOOK: &str = "Took";
pub const COLUMN_TRIES: &str = "Tries";
pub const OLDER: &str = "Show older";
pub const NOTHING_MATCHES: &str = "Nothing matches.";
pub const CLEAR: &str = "Show all tasks";
pub const EMPTY_BODY: &str = "Submit one, and it starts as soon as a machine has a free slot.";
pub const THE_LIST: &str = "The list";
pub const ANY: &str = "any";

pub const NEW: &str = "New task";
pub const PROMPT: &str = "Prompt";
pub const PROMPT_HINT: &str = "What should be done? The tool gets exactly this text.";
pub const COMMAND: &str = "Command line";
pub const COMMAND_HINT: &str = "A program and its arguments, as in a shell; no shell runs, so *, | and $ mean nothing.";
pub const BEST_TOOL: &str = "The best that is ready";
pub const MODEL: &str = "Model";
pub const MODEL_HINT: &str = "The tool's own choice";
pub const PRIORITY: &str = "Priority";
pub const SUBMIT: &str = "Submit";
pub const SUBMIT_KEY: &str = "Ctrl Enter";
pub const NO_PROMPT: &str = "Say what should be done.";
pub const OPEN_QUOTE: &str = "A quotation mark does not end.";
pub const NO_SUCH_TOOL: &str = "No tool can be called that.";
pub const NO_WORKER_CONNECTED: &str = "No machine is connected. The task waits in the queue until one is.";
pub const DEMO_PROMPT: &str = "Introduce yourself, and say what happens on this machine when I submit a task.";

pub fn all_ended(n: u64) -> String {
    format!("Nothing is running or queued; {} ended", counted(n, "task has", "tasks have"))
}

pub fn held(n: u64) -> String {
    format!("{} new", thousands(n))
}

pub fn not_ready(tool: &str) -> String {
    format!("{tool} (not ready)")
}

pub fn submitted(number: i64) -> String {
    format!("Task {number} is submitted.")
}

pub fn priority(value: u8) -> String {
    match value {
        1 => "1, whenever".to_owned(),
        5 => "5, normal".to_owned(),
        10 => "10, first".to_owned(),
        other => other.to_string(),
    }
}
