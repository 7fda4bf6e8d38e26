//! Somebody who comes in: what they hold, what they wrote down, and where each refusal belongs.
//!
//! The same rules stand in the coordinator, which has the last word; here they spare a way there and back.

use std::fmt;

use swarm_proto::ErrorCode;
use swarm_proto::auth::Register;

use super::password;
use crate::strings::{register as text, shell};

const MOST_NAME: usize = 64;
const MOST_EMAIL: usize = 254;

/// What lets somebody in.
#[derive(Clone, PartialEq, Eq)]
pub enum Pass {
    /// The token that `serve` printed: who has it becomes the owner.
    SetUp(String),
    /// An invitation.
    Invitation(String),
    /// Nothing, which is enough where everybody may join.
    Nothing,
}

/// Shows no secret.
impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SetUp(_) => "SetUp",
            Self::Invitation(_) => "Invitation",
            Self::Nothing => "Nothing",
        })
    }
}

/// Why a text lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPass {
    /// It enrols a machine.
    #[error("{}", text::MACHINE_KEY)]
    MachineKey,
    /// It signs somebody in who has an account.
    #[error("{}", text::SIGN_IN_LINK)]
    SignInLink,
    /// It is something else.
    #[error("{}", text::NO_INVITATION)]
    Other,
}

impl Pass {
    /// Finds it in what somebody gives: a token, a link, or the whole line of a message around it.
    pub fn read(given: &str) -> Result<Self, NoPass> {
        if let Some(token) = token(given, "gs_setup_") {
            Ok(Self::SetUp(token))
        } else if let Some(token) = token(given, "gs_invite_") {
            Ok(Self::Invitation(token))
        } else if given.trim().is_empty() {
            Ok(Self::Nothing)
        } else if given.contains("gs_join_") {
            Err(NoPass::MachineKey)
        } else if given.contains("gs_link_") {
            Err(NoPass::SignInLink)
        } else {
            Err(NoPass::Other)
        }
    }

    /// Whether it makes an owner.
    pub fn is_setup(&self) -> bool {
        matches!(self, Self::SetUp(_))
    }

    fn secret(&self) -> &str {
        match self {
            Self::SetUp(token) | Self::Invitation(token) => token,
            Self::Nothing => "",
        }
    }
}

fn token(text: &str, prefix: &str) -> Option<String> {
    let (_, rest) = text.split_once(prefix)?;
    let secret: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    (!secret.is_empty()).then(|| format!("{prefix}{secret}"))
}

/// Where an error stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the invitation.
    Invitation,
    /// At the name.
    Name,
    /// At the password.
    Password,
    /// At the e-mail address.
    Email,
    /// At the button: it is about none of them.
    Form,
}

impl Place {
    /// The id of its field.
    pub fn id(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Name => "username",
            Self::Password => "password",
            Self::Email => "email",
            Self::Form => "form",
        }
    }
}

/// What is wrong, in the order of the fields.
pub type Errors = Vec<(Place, String)>;

/// What somebody wrote down.
#[derive(Clone, Default)]
pub struct Draft {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The address, or nothing.
    pub email: String,
}

/// Shows no secret.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Draft {
    /// What is sent, unless the coordinator would refuse it anyway.
    pub fn register(&self, pass: &Pass) -> Result<Register, Errors> {
        let (name, email) = (self.name.trim(), self.email.trim());
        let wrong = [
            name_error(name),
            password::error(&self.password).map(|words| (Place::Password, words)),
            email_error(email),
        ];
        let wrong: Errors = wrong.into_iter().flatten().collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Register {
            invitation: pass.secret().to_owned(),
            username: name.to_owned(),
            email: Some(email.to_owned()).filter(|email| !email.is_empty()),
            password: self.password.clone(),
        })
    }
}

/// Why a name cannot be one.
pub(super) fn name_error(name: &str) -> Option<(Place, String)> {
    let words = match name.chars().count() {
        0 => text::NAME_MISSING,
        1..=MOST_NAME if name.chars().any(char::is_control) => text::NAME_UNREADABLE,
        1..=MOST_NAME => return None,
        _ => text::NAME_LONG,
    };
    Some((Place::Name, words.to_owned()))
}

/// Why an address cannot be one. None at all is fine.
pub(super) fn email_error(email: &str) -> Option<(Place, String)> {
    (!email.is_empty() && !is_address(email)).then(|| (Place::Email, text::EMAIL_WRONG.to_owned()))
}

fn is_address(email: &str) -> bool {
    email.len() <= MOST_EMAIL
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

/// A refusal of the coordinator, in its place. `detail` is what it said.
pub fn refusal(pass: &Pass, code: Option<ErrorCode>, detail: &str) -> (Place, String) {
    match code {
        Some(ErrorCode::SpentCredential) => {
            let words = match pass {
                Pass::SetUp(_) => text::SETUP_SPENT,
                Pass::Invitation(_) => text::INVITATION_SPENT,
                Pass::Nothing => text::INVITATION_NEEDED,
            };
            (Place::Invitation, words.to_owned())
        }
        // One code stands for both.
        Some(ErrorCode::NameTaken) if detail.contains("e-mail") => (Place::Email, text::EMAIL_TAKEN.to_owned()),
        Some(ErrorCode::NameTaken) => (Place::Name, text::NAME_TAKEN.to_owned()),
        _ => (Place::Form, shell::sentence(detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, password: &str, email: &str) -> Draft {
        Draft { name: name.to_owned(), password: password.to_owned(), email: email.to_owned() }
    }

    fn places(draft: &Draft) -> Vec<Place> {
        draft.register(&Pass::Nothing).unwrap_err().into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn a_pass_is_found_in_whatever_was_copied() {
        let invitation = Pass::Invitation("gs_invite_0a1b".to_owned());
        for given in [
            "gs_invite_0a1b",
            "  gs_invite_0a1b\n",
            "https://attic.example/register#gs_invite_0a1b",
            "Come in: http://127.0.0.1:8420/register#gs_invite_0a1b.",
            "garageswarm login --user ann --invitation gs_invite_0a1b",
        ] {
            assert_eq!(Pass::read(given), Ok(invitation.clone()), "{given}");
        }
        assert_eq!(Pass::read("gs_setup_ff"), Ok(Pass::SetUp("gs_setup_ff".to_owned())));
        assert_eq!(Pass::read(" "), Ok(Pass::Nothing));
    }

    #[test]
    fn what_is_no_pass_is_named() {
        assert_eq!(Pass::read("gs_join_00"), Err(NoPass::MachineKey));
        assert_eq!(Pass::read("http://attic/signin#gs_link_00"), Err(NoPass::SignInLink));
        for given in ["gs_invite_", "hello", "gs_cli_00"] {
            assert_eq!(Pass::read(given), Err(NoPass::Other), "{given}");
        }
    }

    #[test]
    fn a_sound_draft_is_sent_without_the_spaces_of_a_phone() {
        let pass = Pass::Invitation("gs_invite_00".to_owned());
        let sent = draft(" Ann Example ", "correct horse", " ").register(&pass).unwrap();
        assert_eq!(
            (sent.username.as_str(), sent.email, sent.invitation.as_str()),
            ("Ann Example", None, "gs_invite_00")
        );
        let sent = draft("ann", " correct horse ", "ann@example.org ").register(&Pass::Nothing).unwrap();
        assert_eq!((sent.email.as_deref(), sent.password.as_str()), (Some("ann@example.org"), " correct horse "));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        assert_eq!(places(&draft("", "short", "ann")), [Place::Name, Place::Password, Place::Email]);
        assert_eq!(places(&draft(&"x".repeat(65), "correct horse", "")), [Place::Name]);
        assert_eq!(places(&draft("a\tb", "correct horse", "")), [Place::Name]);
        for email in ["@example.org", "ann@host", "a@b@c.d", "ann ex@example.org"] {
            assert_eq!(places(&draft("ann", "correct horse", email)), [Place::Email], "{email}");
        }
    }

    #[test]
    fn refusals_stand_where_they_belong() {
        let invitation = Pass::Invitation(String::new());
        let at = |pass: &Pass, code, detail| refusal(pass, Some(code), detail).0;
        assert_eq!(at(&invitation, ErrorCode::SpentCredential, ""), Place::Invitation);
        assert_eq!(at(&invitation, ErrorCode::NameTaken, "This name is taken: choose another one."), Place::Name);
        let taken = "This e-mail address belongs to another account.";
        assert_eq!(at(&invitation, ErrorCode::NameTaken, taken), Place::Email);
        let wait = refusal(&invitation, Some(ErrorCode::TooManyRequests), "Too many tries. Wait 7 s and try again.");
        assert_eq!(wait, (Place::Form, "Too many tries. Wait 7 s and try again.".to_owned()));
        assert_eq!(refusal(&Pass::Nothing, None, "the connection broke").1, "The connection broke.");
    }

    #[test]
    fn each_pass_has_its_own_words_when_it_is_spent() {
        let words = |pass| refusal(&pass, Some(ErrorCode::SpentCredential), "").1;
        assert_eq!(words(Pass::Nothing), text::INVITATION_NEEDED);
        assert_eq!(words(Pass::SetUp("s".to_owned())), text::SETUP_SPENT);
        assert_eq!(words(Pass::Invitation("i".to_owned())), text::INVITATION_SPENT);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?} {:?}", Pass::SetUp("gs_setup_ff".to_owned()), draft("ann", "correct horse", ""));
        assert_eq!(shown, "SetUp Draft { name: \"ann\", .. }");
    }
}
