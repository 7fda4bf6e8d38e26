//! Registering: with an invitation, or as the owner of a swarm that has none.

pub const OWNER: &str = "You become the owner of this swarm";
pub const OWNER_BODY: &str =
    "Nobody owns it yet. The first account is its admin, who invites people and manages machines.";
pub const INVITED_BODY: &str = "You are invited. Choose a name and a password: you sign in with them from any browser.";
pub const NO_PASS_BODY: &str = "An admin invites people: with a link, or with a text that begins with `gs_invite_`.";
pub const INVITATION: &str = "Invitation";
pub const INVITATION_HINT: &str = "The whole link, or the text.";
pub const NAME: &str = "Name";
pub const NAME_HINT: &str = "You sign in with it, and others see it.";
pub const EMAIL: &str = "E-mail (optional)";
pub const EMAIL_HINT: &str = "You and admins see it.";
pub const PASSWORD: &str = "Password";
pub const SUBMIT: &str = "Make the account";
pub const SUBMIT_OWNER: &str = "Become the owner";
pub const SUBMITTING: &str = "Making the account";
pub const SIGN_IN: &str = "Sign in";
pub const SIGNING_IN: &str = "Signing in";
pub const HAS_ACCOUNT: &str = "I have an account already";
pub const HAS_INVITATION: &str = "I have an invitation";

pub const INVITATION_NEEDED: &str = "An invitation is needed here. Ask an admin for one.";
pub const INVITATION_SPENT: &str =
    "This invitation was used, has expired or was taken back. Ask for a new one and put it here; what you wrote stays.";
pub const SETUP_SPENT: &str = "This link no longer makes an owner: somebody is it already, or the coordinator was started anew and printed another link. Put that one here, or an invitation; what you wrote stays.";
pub const MACHINE_KEY: &str =
    "This is a key for a machine, not for a person. Run garageswarm worker run with it on that machine.";
pub const SIGN_IN_LINK: &str = "This is a sign-in link, for somebody who has an account. Open it as it is.";
pub const NO_INVITATION: &str = "This is no invitation. One begins with gs_invite_, or is a link with that in it.";
pub const NAME_MISSING: &str = "Enter a name.";
pub const NAME_LONG: &str = "A name has at most 64 characters: choose a shorter one.";
pub const NAME_UNREADABLE: &str = "A name is one line of text: take out what cannot be seen.";
pub const NAME_TAKEN: &str = "Somebody here has this name. Choose another one.";
pub const EMAIL_WRONG: &str = "This is not an address such as ann@example.org. Mend it, or leave it out.";
pub const EMAIL_TAKEN: &str = "This address belongs to another account here. Take another one, or leave it out.";

pub const ALREADY: &str = "Use the invitation for another account?";
pub const ALREADY_ACT: &str = "Sign out and use it";
pub const ALREADY_LEAVE: &str = "Stay signed in";

pub fn join(host: &str) -> String {
    format!("Join {host}")
}

pub fn already(name: &str) -> String {
    format!(
        "You are signed in as {name}. An invitation makes a new account; it is not used up as long as nobody makes one with it."
    )
}

pub fn made_but(why: &str) -> String {
    format!("The account is made, but signing in did not work: {why}")
}
