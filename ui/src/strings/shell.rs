//! What frames every page.

use crate::view::words::{capital, counted};

pub const PRODUCT: &str = "GarageSwarm";
pub const SKIP: &str = "Skip to the page";
pub const NAVIGATION: &str = "Pages";
pub const HOME: &str = "Home";
pub const TASKS: &str = "Tasks";
pub const WORKERS: &str = "Workers";
pub const TOOLS: &str = "Tools";
pub const USAGE: &str = "Usage";
pub const ACCOUNT: &str = "Account";
pub const SEARCH: &str = "Search tasks";
pub const SEARCH_LABEL: &str = "Search tasks, or go to a number";
pub const CONNECTED: &str = "connected";
pub const CONNECTING: &str = "connecting";
pub const RECONNECTING: &str = "reconnecting";
pub const LINE_BROKE: &str = "The connection to the coordinator broke.";
pub const LINE_IS_BACK: &str = "The connection is back.";
pub const STRIP: &str = "Workers at a glance";
pub const THEME: &str = "Colours";
pub const THEME_SYSTEM: &str = "As the system";
pub const THEME_DARK: &str = "Dark";
pub const THEME_LIGHT: &str = "Light";
pub const PAUSE: &str = "Pause";
pub const PAUSE_LABEL: &str = "Pause hand-out to all workers";
pub const RESUME: &str = "Resume";
pub const PAUSED_BANNER: &str = "Hand-out is paused. What runs goes on; nothing new starts.";
pub const PAUSE_ASK: &str = "Pause hand-out?";
pub const PAUSE_ASK_BODY: &str =
    "What runs goes on. Tasks stay in the queue, and new ones can be submitted; none starts until you resume.";
pub const BACK: &str = "Back";
pub const CLOSE: &str = "Close";
pub const DISMISS: &str = "Dismiss";
pub const LOADING: &str = "Loading";
pub const TRY_AGAIN: &str = "Try again";
pub const SHOW: &str = "Show";
pub const HIDE: &str = "Hide";
pub const COPY: &str = "Copy";
pub const COPIED: &str = "Copied";
pub const KEEP: &str = "Leave it";
pub const NO_SUCH_PAGE: &str = "There is no such page";
pub const NO_SUCH_PAGE_BODY: &str = "The address is wrong, or the page is gone.";
pub const TO_HOME: &str = "Go to Home";

pub const SIGN_OUT: &str = "Sign out";

pub const KEYS: &str = "Keys";
pub const KEYS_HINT: &str = "Keys work when no field has the focus.";
pub const KEYS_LIST: [(&str, &str); 15] = [
    ("/", "Search tasks"),
    ("N", "New task"),
    ("G H", "Go to Home"),
    ("G T", "Go to Tasks"),
    ("G W", "Go to Workers"),
    ("G O", "Go to Tools"),
    ("G U", "Go to Usage"),
    ("G A", "Go to Account"),
    ("J K", "Next row, row before"),
    ("Enter", "Open the row"),
    ("C", "Cancel the task on the page"),
    ("R", "Retry the task on the page"),
    ("F", "Follow the log, or hold it"),
    ("E", "Open or fold all calls"),
    ("?", "These keys"),
];

pub fn reconnecting(host: &str, next_try: u32, seconds: u64, seen: &str) -> String {
    format!("Reconnecting to {host}. Try {next_try}, next in {seconds} s. What you see is from {seen}.")
}

pub fn reconnecting_now(host: &str, next_try: u32, seen: &str) -> String {
    format!("Reconnecting to {host}. Try {next_try}. What you see is from {seen}.")
}

pub fn not_loaded(what: &str, why: &str) -> String {
    format!("{what} did not load: {}", sentence(why))
}

/// An error as a sentence.
pub fn sentence(error: &str) -> String {
    let error = error.trim();
    // An address at the beginning stays as it is.
    let error = if error.starts_with("http") { error.to_owned() } else { capital(error) };
    if error.ends_with(['.', '!', '?']) { error } else { format!("{error}.") }
}

pub fn task_done(number: i64, title: &str) -> String {
    format!("Task {number} is done: {}", sentence(title))
}

pub fn task_failed(number: i64, title: &str) -> String {
    format!("Task {number} failed: {}", sentence(title))
}

pub fn task_waits(number: i64, title: &str) -> String {
    format!("Task {number} waits: {}", sentence(title))
}

pub fn worker_offline(name: &str) -> String {
    format!("{name} is offline.")
}

pub fn worker_online(name: &str) -> String {
    format!("{name} is connected.")
}

pub fn and_more(n: u64) -> String {
    format!("{n} more.")
}

pub fn working(n: u64) -> String {
    counted(n, "worker is working", "workers are working")
}
