//! Oneself: who one is, and the places where one is signed in.

use std::cmp::Reverse;

use swarm_model::TokenId;
use swarm_model::rights::InstanceRole;
use swarm_proto::auth::{OpenSession, SessionKind, UpdateProfile, User};

use super::register::{Errors, email_error, name_error};
use super::words::{self, Moment};
use crate::strings::account as text;

/// The sentence of the page.
pub fn headline(user: &User, sessions: Option<&[OpenSession]>) -> String {
    text::headline(&user.username, sessions.map(|sessions| sessions.len() as u64))
}

/// What to change of the profile by what stands in its fields; nothing where both say what is.
pub fn change(user: &User, name: &str, email: &str) -> Result<Option<UpdateProfile>, Errors> {
    let (name, email) = (name.trim(), email.trim());
    let wrong: Errors = name_error(name).into_iter().chain(email_error(email)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let change = UpdateProfile {
        username: Some(name.to_owned()).filter(|name| *name != user.username),
        email: Some(email.to_owned()).filter(|email| *email != user.email.as_deref().unwrap_or_default()),
    };
    Ok(Some(change).filter(|change| *change != UpdateProfile::default()))
}

/// What one cannot change about oneself.
pub fn facts(user: &User, moment: Moment) -> [(&'static str, String); 2] {
    let role = match user.role {
        InstanceRole::Admin => text::ADMIN,
        InstanceRole::Member => text::MEMBER,
    };
    [(text::ROLE, role.to_owned()), (text::SINCE, words::clock(user.created_at, moment))]
}

/// The sessions in the order of the list: this one, then those used last.
pub fn in_order(mut sessions: Vec<OpenSession>) -> Vec<OpenSession> {
    sessions.sort_by_key(|session| {
        (!session.is_current, Reverse(session.last_used_at.unwrap_or(session.created_at)), session.session_id)
    });
    sessions
}

/// How many other sessions there are.
pub fn n_others(sessions: &[OpenSession]) -> u64 {
    sessions.iter().filter(|session| !session.is_current).count() as u64
}

/// The session with an id.
pub fn find(sessions: &[OpenSession], id: TokenId) -> Option<&OpenSession> {
    sessions.iter().find(|session| session.session_id == id)
}

/// What somebody signed in with, as people call it.
pub fn device(session: &OpenSession) -> String {
    match session.kind {
        SessionKind::Cli => words::capital(&session.name),
        SessionKind::Browser => browser(&session.name),
    }
}

/// A browser by what it calls itself. Each names several others too, so the order counts.
fn browser(agent: &str) -> String {
    const BROWSERS: [(&str, &str); 9] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("FxiOS/", "Firefox"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Chromium/", "Chromium"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let named =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => text::browser_on(browser, system),
        (Some(name), None) => name.to_owned(),
        (None, _) if agent.trim().is_empty() || agent == "unknown" => text::UNKNOWN_DEVICE.to_owned(),
        (None, _) => agent.to_owned(),
    }
}

/// Since when, when last, and until when.
pub fn times(session: &OpenSession, moment: Moment) -> String {
    let used = match session.last_used_at {
        _ if session.is_current => Some(text::IN_USE.to_owned()),
        Some(at) => Some(text::last_used(&words::age(moment.now.since(at)))),
        None => None,
    };
    let ends = session.expires_at.map(|at| {
        let clock = words::clock(at, moment);
        match session.kind {
            SessionKind::Browser => text::ends_unless_used(&clock),
            SessionKind::Cli => text::ends(&clock),
        }
    });
    let since = text::since(&words::clock(session.created_at, moment));
    let parts: Vec<_> = std::iter::once(since).chain(used).chain(ends).collect();
    words::capital(&parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::samples::{MOMENT, ago};

    fn session(n: u8, kind: SessionKind, name: &str) -> OpenSession {
        OpenSession {
            session_id: format!("01980000-0000-7000-8000-{n:012x}").parse().unwrap(),
            kind,
            name: name.to_owned(),
            is_current: false,
            created_at: ago(86_400),
            expires_at: Some(MOMENT.now + Duration::from_hours(48)),
            last_used_at: Some(ago(240)),
        }
    }

    fn user() -> User {
        User {
            user_id: "01980000-0000-7000-8000-000000000001".parse().unwrap(),
            username: "ann".to_owned(),
            email: Some("ann@example.org".to_owned()),
            role: InstanceRole::Member,
            is_active: true,
            has_password: true,
            created_at: ago(86_400),
            last_login: None,
        }
    }

    #[test]
    fn only_what_changed_of_a_profile_is_sent() {
        let user = user();
        assert_eq!(change(&user, "ann ", " ann@example.org"), Ok(None));
        let renamed = UpdateProfile { username: Some("Ann".to_owned()), email: None };
        assert_eq!(change(&user, "Ann", "ann@example.org"), Ok(Some(renamed)));
        let without_address = UpdateProfile { username: None, email: Some(String::new()) };
        assert_eq!(change(&user, "ann", " "), Ok(Some(without_address)));
        let places: Vec<_> = change(&user, " ", "ann").unwrap_err().into_iter().map(|(place, _)| place.id()).collect();
        assert_eq!(places, ["username", "email"]);
    }

    #[test]
    fn browsers_are_called_as_people_call_them() {
        let check = |agent: &str, expected: &str| {
            assert_eq!(device(&session(1, SessionKind::Browser, agent)), expected);
        };
        let kit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        check(
            &format!("Mozilla/5.0 (X11; Linux x86_64) {kit} HeadlessChrome/156.0.0.0 Safari/537.36"),
            "Chrome on Linux",
        );
        check(&format!("Mozilla/5.0 (Windows NT 10.0) {kit} Chrome/156.0 Safari/537.36 Edg/156.0"), "Edge on Windows");
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) Gecko/20100101 Firefox/150.0",
            "Firefox on macOS",
        );
        check("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone");
        check("curl/8.9", "curl/8.9");
        check("unknown", "Unknown program");
    }

    #[test]
    fn command_lines_say_what_they_are() {
        let name = "command line (garageswarm/0.1.0)";
        assert_eq!(device(&session(1, SessionKind::Cli, name)), "Command line (garageswarm/0.1.0)");
    }

    #[test]
    fn times_of_a_session() {
        let other = session(1, SessionKind::Browser, "");
        let expected = "Since 19 Nov, 15:31 · last used 4 min ago · ends 22 Nov, 15:31 unless it is used";
        assert_eq!(times(&other, MOMENT), expected);
        let current = OpenSession { is_current: true, expires_at: None, ..other };
        assert_eq!(times(&current, MOMENT), "Since 19 Nov, 15:31 · in use now");
        let line = OpenSession { last_used_at: None, ..session(1, SessionKind::Cli, "") };
        assert_eq!(times(&line, MOMENT), "Since 19 Nov, 15:31 · ends 22 Nov, 15:31");
    }

    #[test]
    fn this_session_comes_first_then_those_used_last() {
        let old = OpenSession { last_used_at: None, ..session(1, SessionKind::Cli, "") };
        let used = session(2, SessionKind::Browser, "");
        let this = OpenSession { is_current: true, last_used_at: None, ..session(3, SessionKind::Browser, "") };
        let ordered = in_order(vec![old.clone(), used.clone(), this.clone()]);
        assert_eq!(ordered, [this, used, old]);
        assert_eq!(n_others(&ordered), 2);
    }
}
