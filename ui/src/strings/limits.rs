//! Limits of accounts.

use swarm_model::FailureClass;

pub const AT_A_LIMIT: &str = "At a limit";
pub const PARKED: &str = "Parked";
pub const PARKED_ONE: &str =
    "Nothing is wrong with the task, no slot is held, and no attempt is lost. It goes on by itself.";
pub const HELD_ONE: &str = "It begins by itself once the limit is over, or sooner where another account can do it.";
pub const FINDS_OUT: &str = "the next run finds out whether it is over";
pub const ANY_MOMENT: &str = "goes on at any moment";
pub const FIVE_HOURS: &str = "five-hour limit";
pub const WEEK: &str = "weekly limit";
pub const DAY: &str = "daily limit";
pub const MINUTE: &str = "limit of a minute";

/// A kind of limit, where its words do not say more.
pub fn kind(class: FailureClass) -> &'static str {
    if class == FailureClass::RateLimited { "rate limit" } else { "used-up allowance" }
}

pub fn on_account(kind: &str, account: &str) -> String {
    format!("{kind} on account {account}")
}

pub fn parked_until(at: &str, what: &str) -> String {
    format!("{PARKED} until {at}: {what}")
}

pub fn parked(what: &str) -> String {
    format!("{PARKED}: {what}")
}

pub fn held_until(at: &str, what: &str) -> String {
    format!("Held until {at}: {what}")
}

pub fn goes_on_in(left: &str) -> String {
    format!("goes on in {left}")
}

pub fn at_limit_until(at: &str, what: &str) -> String {
    format!("at a limit until {at}: {what}")
}

pub fn at_limit(what: &str) -> String {
    format!("at a limit, {FINDS_OUT}: {what}")
}

pub fn with(tools: &str, account: &str) -> String {
    format!("{tools} with {account}")
}

pub fn until(at: &str, left: &str) -> String {
    format!("until {at}, in {left}")
}
