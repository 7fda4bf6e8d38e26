//! Oneself: profile, password, colours, and where one is signed in.

use crate::view::words::{capital, counted, number};

pub const PROFILE: &str = "Profile";
pub const PROFILE_SAVE: &str = "Save the profile";
pub const PROFILE_SAVING: &str = "Saving";
pub const PROFILE_SAVED: &str = "The profile is saved.";
pub const ROLE: &str = "Role";
pub const ADMIN: &str = "admin: manages people, keys and machines";
pub const MEMBER: &str = "member";
pub const SINCE: &str = "Here since";

pub const PASSWORD: &str = "Password";
pub const PASSWORD_WHY: &str = "A new password ends every other session of yours.";
pub const PASSWORD_FIRST_WHY: &str =
    "You have none yet. With one you can sign in from any browser. Every other session of yours ends.";
pub const PASSWORD_NOW: &str = "Current password";
pub const PASSWORD_NEW: &str = "New password";
pub const PASSWORD_SAVE: &str = "Change the password";
pub const PASSWORD_SET: &str = "Set the password";
pub const PASSWORD_SAVING: &str = "Saving";
pub const PASSWORD_SAVED: &str = "The password is saved. Every other session has ended.";
pub const PASSWORD_MISSING: &str = "Enter the password that you have now.";
pub const PASSWORD_WRONG: &str = "This is not your current password. Nothing was changed.";
pub const PASSWORD_RULE: &str = "At least 10 characters. Several words are good.";
pub const PASSWORD_FITS: &str = "Long enough.";
pub const PASSWORD_EMPTY: &str = "Enter a password of at least 10 characters.";
pub const PASSWORD_LONG: &str = "A password has at most 1024 bytes: choose a shorter one.";

pub const SESSIONS: &str = "Where you are signed in";
pub const SESSIONS_WHAT: &str = "The list of your sessions";
pub const THIS_ONE: &str = "this browser";
pub const IN_USE: &str = "in use now";
pub const END: &str = "End";
pub const END_OTHERS_BODY: &str =
    "They are signed out at once, in browsers and on command lines. What runs goes on, and machines stay joined.";
pub const OTHERS_ENDED: &str = "Every other session has ended.";
pub const UNKNOWN_DEVICE: &str = "Unknown program";

pub fn headline(name: &str, n_sessions: Option<u64>) -> String {
    match n_sessions {
        None => format!("You are signed in as {name}"),
        Some(0 | 1) => format!("You are signed in as {name}, here and nowhere else"),
        Some(n) => format!("You are signed in as {name}, in {} places", number(n)),
    }
}

pub fn password_lacks(n: u64) -> String {
    format!("At least 10 characters: {} more.", number(n))
}

pub fn password_short(n: u64) -> String {
    format!("Too short: {} more, of any kind.", counted(n, "character", "characters"))
}

pub fn browser_on(browser: &str, system: &str) -> String {
    format!("{browser} on {system}")
}

pub fn since(clock: &str) -> String {
    format!("since {clock}")
}

pub fn last_used(age: &str) -> String {
    if age == "now" { IN_USE.to_owned() } else { format!("last used {age} ago") }
}

pub fn ends(clock: &str) -> String {
    format!("ends {clock}")
}

pub fn ends_unless_used(clock: &str) -> String {
    format!("ends {clock} unless it is used")
}

pub fn end_of(device: &str) -> String {
    format!("{END}: {device}")
}

pub fn ended(device: &str) -> String {
    format!("{} is signed out.", capital(device))
}

pub fn end_others(n: u64) -> String {
    format!("End {} other {}", number(n), if n == 1 { "session" } else { "sessions" })
}

pub fn end_others_ask(n: u64) -> String {
    format!("{}?", end_others(n))
}
