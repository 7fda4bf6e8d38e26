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
pub const MORE: &str = "More: roles, repository, isolation, limits";
pub const ROLE: &str = "Role";
pub const NO_ROLE: &str = "None: the tool above does it";
pub const LIST_OF_TOOLS: &str = "Tools in order";
pub const LIST_HINT: &str =
    "One a line, as codex or ollama:qwen3:8b. The next one has its turn where the one before cannot do it.";
pub const AT_LIMIT: &str = "When an account is at its limit";
pub const AT_LIMIT_OWN: &str = "By your own rule";
pub const AT_LIMIT_WAIT: &str = "Wait until it is over";
pub const AT_LIMIT_NEXT: &str = "Go on with the next tool";
pub const REPOSITORY: &str = "Repository";
pub const REPOSITORY_HINT: &str = "An address as git takes it, or a path on the machine.";
pub const BASE: &str = "Begin from";
pub const BASE_HINT: &str = "A branch, tag or commit; empty for the usual one.";
pub const ISOLATION: &str = "Kept away from the machine";
pub const ISOLATION_ANY: &str = "As the machine does it";
pub const ISOLATION_OWN: &str = "Own folders, at least";
pub const ISOLATION_SANDBOX: &str = "Sandbox, at least";
pub const NETWORK: &str = "Network";
pub const NETWORK_ALL: &str = "Everything";
pub const NETWORK_SOME: &str = "Only these hosts";
pub const NETWORK_NONE: &str = "Nothing but its own model";
pub const HOSTS: &str = "Hosts";
pub const HOSTS_HINT: &str = "One a line: example.org, *.example.org for all below it, or an address.";
pub const TOKEN_BUDGET: &str = "Most tokens";
pub const TOKEN_HINT: &str = "In and out together, as 200000 or 200k.";
pub const COST_BUDGET: &str = "Most cost in US dollars";
pub const COST_HINT: &str = "As 2.50.";
pub const MODELS: &str = "Allowed models";
pub const MODELS_HINT: &str = "One a line; empty allows all.";
pub const NO_BASE: &str = "This needs a repository: name one, or empty this.";
pub const NOT_A_REPOSITORY: &str = "A repository is one line of text.";
pub const LIST_AND_TOOL: &str =
    "The list says which tools and models do it: choose no tool and no model above, or empty the list.";
pub const LIST_AND_ROLE: &str = "A role has a list of its own: choose no role, or empty this.";
pub const ROLE_AND_TOOL: &str =
    "A role says which tools and models do it: choose no tool and no model above, or no role.";
pub const ROLE_AND_COMMAND: &str = "A command has no role: choose none.";
pub const LIST_AND_COMMAND: &str = "A command runs as it is: empty the list, or choose another tool above.";
pub const LIST_HAS_COMMAND: &str = "A command is no tool for a prompt: take it off the list.";
pub const MODELS_AND_COMMAND: &str = "A command asks no model: empty this.";
pub const MODEL_NOT_ALLOWED: &str = "The model above is not among these: add it, or choose another one.";
pub const NO_HOSTS: &str = "Name a host, or choose another network.";
pub const NO_TOKENS: &str = "A number of tokens is a whole number from 1, as 200000 or 200k.";
pub const NO_DOLLARS: &str = "An amount is a number above 0 and up to 1000000, such as 2.50.";
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

pub fn role(name: &str) -> String {
    crate::view::words::capital(name)
}

pub fn no_choice(line: usize, text: &str) -> String {
    format!("Line {line}, \"{text}\", names no tool: write it as codex or codex:gpt-5.5.")
}

pub fn no_host(text: &str) -> String {
    format!("\"{text}\" is no host: write a name such as example.org, without https://, path or port.")
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
