//! `garageswarm login`, `logout`, `whoami`: as whom this command line acts.
//!
//! Secrets are asked for without showing them, or read from standard input; none needs to stand in a command.

use std::io::{BufRead as _, IsTerminal as _};

use clap::Args;
use swarm_client::{Address, Coordinator, Fingerprint, Glance, glance};
use swarm_model::rights::InstanceRole;
use swarm_proto::auth::{ExchangeLink, Login, Register, Session, SessionKind, User};

use crate::context::{Context, token_of_environment};
use crate::failure::{Exit, Failure};
use crate::output::table::Facts;
use crate::readable::{ago, plain};
use crate::sign_ins::SignIn;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  garageswarm login --coordinator https://swarm.example.org
  garageswarm login --link 'http://127.0.0.1:8420/signin#TOKEN'
  pass show swarm | garageswarm login --user ada --coordinator https://swarm.example.org")]
pub(crate) struct LoginArgs {
    /// Your name there; asked for where it is missing.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A one-time sign-in link in place of name and password; `-` reads it from standard input.
    #[arg(long, value_name = "LINK", conflicts_with_all = ["user", "invitation"])]
    link: Option<String>,
    /// An invitation as link or token, or the set-up token of `serve`: makes your account first. `-` reads it from
    /// standard input.
    #[arg(long, value_name = "LINK")]
    invitation: Option<String>,
    /// The fingerprint of the coordinator's own certificate, as `up --lan` and `serve --lan` tell it with --json.
    #[arg(long, value_name = "SHA-256")]
    fingerprint: Option<Fingerprint>,
}

pub(crate) async fn login(args: LoginArgs, context: &Context) -> Result<(), Failure> {
    let (coordinator, session) = match args.link {
        Some(link) => by_link(&given(link)?, args.fingerprint, context).await?,
        None => by_password(args.user, args.invitation, args.fingerprint, context).await?,
    };
    let address = coordinator.address().clone();
    let mut sign_ins = context.sign_ins()?;
    let place = sign_ins.keep(&coordinator, None, &session.user.username, &session.access_token)?;
    context
        .output
        .object(&session.user, |user| format!("you are signed in to {address} as {}", plain(&user.username)))?;
    context.output.remark(&format!("the sign-in is kept in {place}"));
    Ok(())
}

async fn by_link(
    link: &str,
    fingerprint: Option<Fingerprint>,
    context: &Context,
) -> Result<(Coordinator, Session), Failure> {
    let (coordinator, token) = if link.contains('#') {
        parts(link, "/signin", fingerprint, context).await?
    } else {
        (trusted(context.address()?, fingerprint, context).await?, link)
    };
    let exchange = ExchangeLink { token: token.to_owned(), kind: SessionKind::Cli };
    let (_, session) = coordinator.exchange_link(&exchange).await?;
    Ok((coordinator, session))
}

/// The coordinator of a link to its page `page`, and the token in it.
async fn parts<'a>(
    link: &'a str,
    page: &str,
    fingerprint: Option<Fingerprint>,
    context: &Context,
) -> Result<(Coordinator, &'a str), Failure> {
    let (place, token) = link.split_once('#').unwrap_or((link, ""));
    let address = place.trim_end_matches('/').trim_end_matches(page).parse::<Address>().map_err(Failure::fault)?;
    if context.named().is_some_and(|named| *named != address) {
        return Err(Failure::usage("the link and --coordinator name different coordinators"));
    }
    Ok((trusted(address, fingerprint, context).await?, token))
}

async fn by_password(
    user: Option<String>,
    invitation: Option<String>,
    fingerprint: Option<Fingerprint>,
    context: &Context,
) -> Result<(Coordinator, Session), Failure> {
    let invitation = invitation.map(given).transpose()?;
    let (coordinator, invitation) = match invitation {
        Some(link) if link.contains('#') => {
            let (coordinator, token) = parts(&link, "/register", fingerprint, context).await?;
            (coordinator, Some(token.to_owned()))
        }
        invitation => (trusted(context.address()?, fingerprint, context).await?, invitation),
    };
    let username = user.map_or_else(|| ask("Name", false), Ok)?;
    let password = ask(if invitation.is_some() { "New password (10 characters at least)" } else { "Password" }, true)?;
    if let Some(invitation) = invitation {
        let register = Register { invitation, username: username.clone(), email: None, password: password.clone() };
        coordinator.register(&register).await?;
    }
    let (_, session) = coordinator.login(&Login { username, password, kind: SessionKind::Cli }).await?;
    Ok((coordinator, session))
}

/// The coordinator at an address, as it is to be trusted: by the fingerprint that was given, or that was pinned
/// before, or by the usual authorities. A certificate that nobody vouches for is shown to a person, who decides.
async fn trusted(
    address: Address,
    fingerprint: Option<Fingerprint>,
    context: &Context,
) -> Result<Coordinator, Failure> {
    let known = match fingerprint {
        Some(fingerprint) => Some(fingerprint),
        None => context.pin_of(&address)?,
    };
    if known.is_some() {
        return Ok(Coordinator::trusted(address, known)?);
    }
    match glance(&address).await? {
        Glance::Usual => Ok(Coordinator::at(address)?),
        Glance::Unknown(shown) => {
            ask_whether_it_is(&address, shown)?;
            Ok(Coordinator::pinned(address, shown)?)
        }
    }
}

/// Asks on a terminal. Elsewhere nobody can say, and a guess would be trust in whoever is in between.
fn ask_whether_it_is(address: &Address, shown: Fingerprint) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::NoAccess, format!("{address} has a certificate that no authority vouches for"))
            .advise(
                "name it with --fingerprint, which `garageswarm up --lan --json` tells on the coordinator's machine",
            ));
    }
    eprint_prompt(&format!(
        "{address} has a certificate of its own, known by the words\n\n    {}\n\nThe coordinator's machine shows them too. Are they the same? [y/N]",
        shown.words()
    ))?;
    let answer = read_line()?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new(Exit::Refused, "not signed in: nothing was sent"))
    }
}

/// The value itself, or a line of standard input where it is `-`.
fn given(value: String) -> Result<String, Failure> {
    if value == "-" { ask("Token", true) } else { Ok(value.trim().to_owned()) }
}

/// A line from the person, or from standard input where that is no terminal.
pub(super) fn ask(what: &str, is_secret: bool) -> Result<String, Failure> {
    let missing = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", what.to_lowercase()));
    let line = if std::io::stdin().is_terminal() {
        if is_secret {
            rpassword::prompt_password(format!("{what}: ")).map_err(missing)?
        } else {
            eprint_prompt(what)?;
            read_line().map_err(missing)?
        }
    } else {
        read_line().map_err(missing)?
    };
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() { Err(Failure::usage(format!("no {} was given", what.to_lowercase()))) } else { Ok(line) }
}

fn eprint_prompt(what: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut stderr = anstream::stderr();
    write!(stderr, "{what}: ")?;
    Ok(stderr.flush()?)
}

fn read_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

pub(crate) async fn logout(context: &Context) -> Result<(), Failure> {
    let coordinator = context.coordinator()?;
    let address = coordinator.address();
    let mut sign_ins = context.sign_ins()?;
    let Some(sign_in) = sign_ins.at(address).cloned() else {
        return Err(Failure::new(Exit::NoAccess, format!("you are not signed in to {address}")));
    };
    // The token must end there too, unless the coordinator does not know it any more.
    if let Some(token) = sign_ins.token(&sign_in)? {
        match coordinator.signed_in(token).logout().await {
            Ok(()) => {}
            Err(error) if error.is_unauthenticated() => {}
            Err(error) => return Err(error.into()),
        }
    }
    sign_ins.forget(&sign_in)?;
    context.output.remark(&format!("{} is signed out of {address}", plain(&sign_in.username)));
    Ok(())
}

pub(crate) async fn whoami(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let me = client.me().await?;
    let kept = if token_of_environment().is_some() {
        "GARAGESWARM_TOKEN"
    } else if context.sign_ins()?.at(client.address()).is_some_and(SignIn::is_in_keychain) {
        "the keychain"
    } else {
        "a file that only you may read"
    };
    context.output.object(&me, |me| words(me, client.address(), kept, context))
}

fn words(me: &User, address: &Address, kept: &str, context: &Context) -> String {
    let role = match me.role {
        InstanceRole::Admin => "admin",
        InstanceRole::Member => "member",
    };
    let mut facts = Facts::default();
    facts
        .fact("name", plain(&me.username))
        .fact("role", role)
        .maybe("e-mail", me.email.as_deref().map(plain))
        .fact("coordinator", address.to_string())
        .fact("sign-in", format!("in {kept}"))
        .fact("password", if me.has_password { "set" } else { "none: you sign in by link" })
        .fact("here since", ago(context.now(), me.created_at));
    facts.text()
}
