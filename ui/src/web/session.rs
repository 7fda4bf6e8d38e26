//! Who is signed in. The access token lives in the client and nowhere else; the cookie is the browser's.
//! What stood behind `#` in the address, a link's token or an invitation, is kept in memory only.

use leptos::prelude::*;
use swarm_client::{Client, ClientError, Coordinator};
use swarm_proto::auth::{ExchangeLink, Login, Register, Session, SessionKind, User};

use super::browser;
use crate::view::register::Pass;

/// Who is signed in.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    /// Not known yet: the cookie is being tried.
    Unknown,
    /// The link in the address is being exchanged.
    ByLink,
    /// Nobody.
    Nobody(Why),
    /// Somebody.
    Somebody(SignedIn),
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nobody came yet.
    Fresh,
    /// They left.
    SignedOut,
    /// The session ended.
    Ended,
    /// The link is no good any more.
    SpentLink,
    /// The coordinator could not be asked.
    Unreachable(String),
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) client: Client,
    pub(crate) user: User,
}

/// The session, for everything below.
#[derive(Clone, Copy)]
pub(crate) struct Sessions {
    auth: RwSignal<Auth>,
    /// What stood behind `#` on the page where one registers.
    given: StoredValue<Option<String>>,
}

impl Sessions {
    /// Begins: by the link in the address where there is one, else by the cookie.
    pub(crate) fn provide() -> Self {
        let sessions = Self { auth: RwSignal::new(Auth::Unknown), given: StoredValue::new(None) };
        provide_context(sessions);
        let (is_link, registers) = (browser::is_at("/signin"), browser::is_at("/register"));
        let fragment = browser::take_fragment();
        sessions.given.set_value(fragment.clone().filter(|_| registers));
        match fragment.filter(|_| is_link) {
            Some(token) => sessions.exchange(token),
            None => sessions.resume(),
        }
        sessions
    }

    /// What stood behind `#` on the page where one registers.
    pub(crate) fn given(self) -> String {
        self.given.get_value().unwrap_or_default()
    }

    /// Whether an invitation is at hand.
    pub(crate) fn holds_invitation(self) -> bool {
        matches!(Pass::read(&self.given()), Ok(Pass::Invitation(_)))
    }

    pub(crate) fn get(self) -> Auth {
        self.auth.get()
    }

    /// Goes on with the session of the browser's cookie.
    pub(crate) fn resume(self) {
        self.auth.set(Auth::Unknown);
        leptos::task::spawn_local(async move {
            let found = match coordinator() {
                Ok(coordinator) => coordinator.refresh().await,
                Err(error) => Err(error),
            };
            self.auth.set(match found {
                Ok(session) => somebody(session),
                Err(error) if error.is_unreachable() || error.is_transient() => {
                    Auth::Nobody(Why::Unreachable(error.to_string()))
                }
                Err(_) => Auth::Nobody(Why::Fresh),
            });
        });
    }

    fn exchange(self, token: String) {
        self.auth.set(Auth::ByLink);
        leptos::task::spawn_local(async move {
            let link = ExchangeLink { token, kind: SessionKind::Browser };
            let found = match coordinator() {
                Ok(coordinator) => coordinator.exchange_link(&link).await,
                Err(error) => Err(error),
            };
            self.auth.set(match found {
                Ok(session) => somebody(session),
                Err(error) if matches!(error, ClientError::Api(_)) && !error.is_transient() => {
                    Auth::Nobody(Why::SpentLink)
                }
                Err(error) => Auth::Nobody(Why::Unreachable(error.to_string())),
            });
        });
    }

    /// Signs in with name and password.
    pub(crate) async fn login(self, username: String, password: String) -> Result<(), ClientError> {
        let login = Login { username, password, kind: SessionKind::Browser };
        let session = coordinator()?.login(&login).await?;
        self.auth.set(somebody(session));
        Ok(())
    }

    /// Makes an account. Signing in is the next step.
    pub(crate) async fn register(self, register: &Register) -> Result<(), ClientError> {
        coordinator()?.register(register).await?;
        // It works once.
        self.given.try_set_value(None);
        Ok(())
    }

    /// Ends the session here and at the coordinator.
    pub(crate) async fn sign_out(self, client: Client) -> Result<(), ClientError> {
        match client.logout().await {
            Err(error) if !error.is_unauthenticated() => return Err(error),
            _ => self.auth.set(Auth::Nobody(Why::SignedOut)),
        }
        Ok(())
    }

    /// The coordinator does not know the session any more.
    pub(crate) fn ended(self) {
        self.auth.try_set(Auth::Nobody(Why::Ended));
    }
}

fn coordinator() -> Result<Coordinator, ClientError> {
    Coordinator::at(browser::origin().parse()?)
}

fn somebody((client, session): (Client, Session)) -> Auth {
    Auth::Somebody(SignedIn { client, user: session.user })
}

/// The session of the page.
pub(crate) fn use_sessions() -> Sessions {
    expect_context()
}
