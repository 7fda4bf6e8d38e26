//! One task.

use swarm_model::FailureClass;

use crate::view::words::{counted, roughly};

pub const QUEUED: &str = "Queued";
pub const QUEUED_AGAIN: &str = "Queued again";
pub const STARTING: &str = "Starting";
pub const RUNNING: &str = "Running";
pub const ENDING: &str = "Ending";
pub const WAITS: &str = "Waiting for you";
pub const PARKED: &str = "Parked";
pub const DONE: &str = "Done";
pub const FAILED: &str = "Failed";
pub const CANCELLED: &str = "Cancelled";
pub const CANCEL_ASKED: &str = "cancel asked for";
pub const ANY_TOOL: &str = "any tool";

pub const TAB_LOG: &str = "Log";
pub const TAB_RESULT: &str = "Result";
pub const TAB_PROMPT: &str = "Prompt";
pub const TAB_RECORD: &str = "Record";
pub const TABS: &str = "Parts of the task";
pub const CANCEL: &str = "Cancel";
pub const CANCEL_ASK: &str = "Cancel this task?";
pub const CANCEL_ASK_RUNNING: &str = "It gets 2 s to close. Its log stays, and it can be run again.";
pub const CANCEL_ASK_QUEUED: &str = "It leaves the queue. It can be run again.";
pub const CANCEL_CONFIRM: &str = "Cancel the task";
pub const RETRY: &str = "Retry";
pub const THE_TASK: &str = "The task";
pub const COPY_RESULT: &str = "Copy the result";
pub const PARTIAL: &str = "What was there before it ended:";
pub const RETRY_OF: &str = "Tries again an earlier task";

pub const FACTS: &str = "Facts";
pub const WORKER: &str = "Worker";
pub const TOOL: &str = "Tool";
pub const MODEL: &str = "Model";
pub const MODELS: &str = "Models";
pub const TRIED: &str = "Tried";
pub const PASSED_OVER: &str = "passed over";
pub const REPOSITORY: &str = "Repository";
pub const ISOLATION: &str = "Isolation";
pub const NETWORK: &str = "Network";
pub const ONLY_ITS_MODEL: &str = "nothing but its own model";
pub const PRIORITY: &str = "Priority";
pub const LIMITS: &str = "Limits";
pub const USED: &str = "Used";
pub const EXIT_CODE: &str = "Exit code";
pub const SUBMITTED: &str = "Submitted";
pub const ENDED: &str = "Ended";
pub const ANY_OF_YOURS: &str = "any of yours";
pub const ANY_SHARED: &str = "any shared one";
pub const COSTS_NOTHING: &str = "no cost";
pub const COST_UNKNOWN: &str = "cost unknown";

pub const ATTEMPTS: &str = "Attempts";
pub const NO_ATTEMPT: &str = "None yet.";
pub const GIVEN: &str = "handed out";
pub const REFUSED: &str = "declined";
pub const LOST_CONTACT: &str = "lost contact";
pub const LATE_RESULT: &str = "a result came too late and is kept";

pub const MATCH: &str = "Match";
pub const AVAILABILITY: &str = "Availability";
pub const BALANCE: &str = "Balance";
pub const AFFINITY: &str = "Affinity";
pub const SCORE: &str = "Score";
pub const RULED_OUT: &str = "Ruled out";
pub const WHO_COULD: &str = "Who could take it";
pub const NO_WORKER_FITS: &str = "No worker fits now";

pub const ARTIFACTS: &str = "Artifacts";
pub const NO_ARTIFACT: &str = "None. No attempt left a file.";
pub const ARTIFACTS_LATER: &str = "None yet. Files appear when an attempt ends.";

pub const SWARM_PAUSED: &str = "Hand-out is paused; nothing new starts";
pub const IN_QUEUE: &str = "In the queue";
pub const WAITS_APPROVAL: &str = "Waits for a decision";
pub const WAITS_BUDGET: &str = "Waits until its budget is raised";
pub const BUDGET_HINT: &str =
    "What it was allowed to use is used up. No slot is held; once there is more to use, it goes on where it stopped.";

pub fn took_on(took: &str, machine: &str) -> String {
    format!("{took} on {machine}")
}

pub fn given_to(machine: &str) -> String {
    format!("handed to {machine}")
}

pub fn submitted(at: &str) -> String {
    format!("submitted {at}")
}

pub fn attempt(attempt: u32, failures: u32, most: u32) -> String {
    if failures == 0 {
        format!("attempt {attempt}")
    } else {
        format!("attempt {attempt}, {failures} of {most} failures")
    }
}

pub fn tries_again(at: &str) -> String {
    format!("tries again at {at}")
}

pub fn waits_budget(at: &str) -> String {
    format!("Waits for its budget: it begins anew at {at}, or once it is raised")
}

pub fn last_attempt(error: &str) -> String {
    format!("The last attempt: {error}")
}

pub fn ahead(n: u64) -> String {
    format!("{} before it.", counted(n, "task comes", "tasks come"))
}

pub fn only_on(machine: &str) -> String {
    format!("{machine} only")
}

pub fn priority(value: u8) -> String {
    format!("{value} of 10")
}

pub fn silent_for(span: &str) -> String {
    format!("{span} of silence")
}

pub fn queued_for(span: &str) -> String {
    format!("{span} in the queue")
}

pub fn tokens(n: u64) -> String {
    format!("{} tokens", roughly(n))
}

pub fn since(at: &str) -> String {
    format!("since {at}")
}

pub fn why(machine: &str) -> String {
    format!("Why {machine}")
}

pub fn more_considered(n: usize) -> String {
    format!("{} considered.", counted(n as u64, "more worker was", "more workers were"))
}

pub fn no_such(name: &str) -> String {
    format!("There is no task {name}, or it is not yours.")
}

pub fn retried(number: i64) -> String {
    format!("Submitted again as task {number}.")
}

/// A class of failure in a few words.
pub fn failure(class: FailureClass) -> &'static str {
    match class {
        FailureClass::ToolMissing => "Tool missing",
        FailureClass::NeedsLogin => "Tool not signed in",
        FailureClass::RateLimited => "Rate limited",
        FailureClass::Quota => "Allowance used up",
        FailureClass::Auth => "Credential refused",
        FailureClass::Network => "No connection to the provider",
        FailureClass::Server => "Fault at the provider",
        FailureClass::ContextOverflow => "Too long for the model",
        FailureClass::Stalled => "Went silent",
        FailureClass::TimedOut => "Timed out",
        FailureClass::ProcessFailed => "Ended with an error",
        FailureClass::EmptyOutput => "Gave nothing back",
        FailureClass::Refused => "Declined",
        FailureClass::ModelsExhausted => "Every model was tried",
        FailureClass::Budget => "Over the budget",
        FailureClass::Cancelled => "Cancelled",
        FailureClass::Lost => "Machine lost",
    }
}

/// What a person can do about it.
pub fn advice(class: FailureClass) -> &'static str {
    match class {
        FailureClass::ToolMissing => "Install the tool on a machine, or choose another tool.",
        FailureClass::NeedsLogin => "Sign the tool in on its machine, then retry.",
        FailureClass::RateLimited | FailureClass::Quota => "Retry later, or with another tool or model.",
        FailureClass::Auth => "Check the tool's credential on its machine, then retry.",
        FailureClass::Network => "Check the machine's connection, then retry.",
        FailureClass::Server => "Retry; if it lasts, choose another model.",
        FailureClass::ContextOverflow => "Shorten the prompt, or split the task.",
        FailureClass::Stalled => {
            "Look at the last lines of the log; raise the limit on silence where the work is slow."
        }
        FailureClass::TimedOut => "Raise the limit, or split the task.",
        FailureClass::ProcessFailed => "The log says why.",
        FailureClass::EmptyOutput => "Retry, or ask for something more definite.",
        FailureClass::Refused => "Change the prompt, or choose another machine or tool.",
        FailureClass::ModelsExhausted => "Retry later, or choose a tool of your own.",
        FailureClass::Budget => "Raise the budget, then retry.",
        FailureClass::Cancelled => "Retry starts it anew.",
        FailureClass::Lost => "The machine vanished while it ran this. Check it before you retry.",
    }
}

/// Who does it, best first, perhaps as what.
pub fn cascade(role: Option<&str>, entries: &[String]) -> String {
    let entries = entries.join(", then ");
    role.map_or_else(|| entries.clone(), |role| format!("{role}: {entries}"))
}

pub fn tried(entry: &str, class: &str, why: &str) -> String {
    format!("{entry}: {class}; {why}")
}

pub fn repository(url: &str, base: Option<&str>) -> String {
    base.map_or_else(|| url.to_owned(), |base| format!("{url} from {base}"))
}

pub fn at_least(level: &str) -> String {
    format!("at least {level}")
}
