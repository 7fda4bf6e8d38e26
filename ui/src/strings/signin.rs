//! Signing in.

pub const NAME: &str = "Name";
pub const PASSWORD: &str = "Password";
pub const SUBMIT: &str = "Sign in";
pub const SUBMITTING: &str = "Signing in";
pub const BY_LINK: &str = "Signing in by the link";
pub const BY_LINK_BODY: &str = "The link is exchanged for a session of this browser.";
pub const NO_PASSWORD: &str =
    "No password yet? Start `garageswarm up` on the coordinator's machine: it prints a link that signs you in.";
pub const WRONG: &str = "Name and password do not match.";
pub const SPENT: &str = "This link no longer signs in";
pub const SPENT_BODY: &str = "A sign-in link works once, for 10 minutes. This one was used, or its time is over. If somebody else used it, sign in and change your password: that ends every other session.";
pub const WITH_PASSWORD: &str = "Sign in with a password";
pub const FROM_MACHINE: &str = "From the machine itself";
pub const FROM_MACHINE_BODY: &str =
    "Whoever has a shell on the coordinator's machine gets a fresh link by starting it anew:";
pub const FROM_MACHINE_LINE: &str = "garageswarm up";
pub const ENDED: &str = "Your session has ended. Sign in again to go on.";
pub const SIGNED_OUT: &str = "You are signed out.";
pub const NAME_MISSING: &str = "Enter your name.";
pub const PASSWORD_MISSING: &str = "Enter your password.";

pub fn to(host: &str) -> String {
    format!("Sign in to {host}")
}
