//! Which address a tool asks, with which key, and where both were found.
//!
//! First counts what the machine's owner wrote into `worker.toml` (`url`, `api_key_file`, `env`), then what stands in
//! the environment that the worker was started with, then the provider's public address. Between the two counts a key
//! that the worker keeps (`garageswarm tool login`): who gave it meant this tool, which a variable of the shell need
//! not; and what stands in the file is seen there, and so must count. **A key goes only to the address that it belongs
//! to**: the one that stands in the same place, and the public one where there is none.
//! - A key in `worker.toml` goes to the address in `worker.toml`, or to the public one. The environment does not count.
//! - A kept key goes to the address that it was given for, which is kept with it. Where `worker.toml` names another
//!   one, that one is asked without it.
//! - A key in the environment goes to the address in the environment, or to the public one. Where `worker.toml` names
//!   an address with another scheme, host or port, that one is asked without it.
//! - No key goes unencrypted beyond this machine, unless the owner says `insecure_http = true`.

mod kept;
mod places;
mod taking;

use std::fmt;
use std::path::Path;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use swarm_model::tool::{self, ToolHealth};
use swarm_model::worker::RefusalReason;
use url::Url;

pub use self::kept::KeptKey;
pub(crate) use self::places::{ANTHROPIC, CLAUDE_CODE, CODEX, GEMINI, OLLAMA, OPENAI, Provider, VERTEX};
pub(crate) use self::taking::take;
pub use self::taking::{KeyError, TakenKey};
use crate::http;
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// In a header of this name.
    Header(&'static str),
}

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An entry of the tool's section of `worker.toml`.
    Settings(&'static str),
    /// A variable in the `env` entry of that section.
    SettingsVariable(&'static str),
    /// What the worker keeps, in the system's keychain or in a file for its owner alone.
    Keychain,
    /// A variable that the worker was started with.
    Environment(&'static str),
    /// Nowhere: it is the provider's own.
    Public,
}

/// A key. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    text: String,
    pub(crate) scheme: Scheme,
    pub(crate) place: Place,
    /// The variable in which programs look for such a key.
    pub(crate) variable: &'static str,
}

/// What a tool asks, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) base: Url,
    pub(crate) base_place: Place,
    pub(crate) key: Option<Key>,
    /// Where a key was found that is not for this address.
    pub(crate) withheld: Option<Place>,
}

/// Why a tool cannot be used, and what the person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Missing(String),
    NeedsLogin(String),
}

impl Obstacle {
    /// What the person can do.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Missing(words) | Self::NeedsLogin(words) => words,
        }
    }
}

impl Account {
    /// Finds address and key.
    pub(crate) fn resolve(
        provider: &Provider,
        settings: &ToolSettings,
        variables: &Variables,
    ) -> Result<Self, Obstacle> {
        let public = || (provider.public.to_owned(), Place::Public);
        let in_environment =
            variables.get(provider.address).map(|url| (url.to_owned(), Place::Environment(provider.address)));
        let environments_key = || {
            let found = provider.keys.iter().find_map(|(name, scheme)| Some((*name, *scheme, variables.get(name)?)));
            found.map(|(name, scheme, text)| Key::new(text, scheme, Place::Environment(name), name)).transpose()
        };
        let kept = || settings.kept_key.as_ref().map(|kept| kept.read(provider)).transpose();
        let account = match (url_of_settings(provider, settings), key_of_settings(provider, settings)?) {
            (url, key @ Some(_)) => {
                let (url, base_place) = url.unwrap_or_else(public);
                Self { base: provider.parse(&url, base_place)?, base_place, key, withheld: None }
            }
            (Some((url, base_place)), None) => {
                let base = provider.parse(&url, base_place)?;
                let (home, home_place) = in_environment.unwrap_or_else(public);
                let belongs = provider.parse(&home, home_place).is_ok_and(|home| home.origin() == base.origin());
                let (kept, kept_back) = match kept()? {
                    Some((key, home)) if home.origin() == base.origin() => (Some(key), None),
                    other => (None, other.map(|(key, _)| key.place)),
                };
                let (key, other) = match kept {
                    Some(key) => (Some(key), None),
                    None => environments_key()?
                        .map_or((None, None), |key| if belongs { (Some(key), None) } else { (None, Some(key.place)) }),
                };
                let withheld = if key.is_some() { None } else { kept_back.or(other) };
                Self { base, base_place, key, withheld }
            }
            (None, None) if settings.kept_key.is_some() => {
                let (key, home) = kept()?.unzip();
                let (public, public_place) = public();
                let public = provider.parse(&public, public_place)?;
                let base = home.unwrap_or_else(|| public.clone());
                let base_place = if base == public { Place::Public } else { Place::Keychain };
                Self { base, base_place, key, withheld: None }
            }
            (None, None) => {
                let (url, base_place) = in_environment.unwrap_or_else(public);
                Self { base: provider.parse(&url, base_place)?, base_place, key: environments_key()?, withheld: None }
            }
        };
        account.check_wire(settings)
    }

    /// A key that everybody on the way could read is none for long.
    fn check_wire(self, settings: &ToolSettings) -> Result<Self, Obstacle> {
        let is_open = self.base.scheme() == "http" && !http::is_loopback(&self.base);
        if is_open && self.key.is_some() && settings.insecure_http != Some(true) {
            return Err(Obstacle::Missing(format!(
                "the key would go to {} unencrypted: use an https address, or set insecure_http = true in worker.toml \
                 where you trust the network between",
                http::shown(&self.base)
            )));
        }
        Ok(self)
    }

    /// Whether nobody set an address, and nobody a key.
    pub(crate) fn is_unset(&self) -> bool {
        self.base_place == Place::Public && self.key.is_none()
    }

    /// The account with a key where the provider wants one. Whoever asks another address knows whether it wants one.
    pub(crate) fn with_key_for(self, provider: &Provider, tool: &str) -> Result<Self, Obstacle> {
        let names: Vec<_> = provider.keys.iter().map(|(name, _)| *name).collect();
        let Some(first) = names.first() else { return Ok(self) };
        if self.key.is_some() || !provider.is_public(&self.base) {
            return Ok(self);
        }
        Err(Obstacle::NeedsLogin(format!(
            "it needs a key: `garageswarm tool login {tool}` takes it, or {first} in the worker's environment"
        )))
    }

    /// The header that carries the key.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let key = self.key.as_ref()?;
        let (name, text) = match key.scheme {
            Scheme::Bearer => (AUTHORIZATION, format!("Bearer {}", key.text)),
            Scheme::Header(name) => (HeaderName::from_static(name), key.text.clone()),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }

    /// Whose allowance is used: the same wherever this key is used at this address. None where no key is.
    pub(crate) fn payer(&self) -> Option<tool::Account> {
        let key = self.key.as_ref()?;
        let origin = self.base.origin().ascii_serialization();
        let hash =
            blake3::derive_key("garageswarm account of a provider", format!("{origin}\n{}", key.text).as_bytes());
        let id = blake3::Hash::from_bytes(hash).to_hex()[..24].to_owned();
        let end =
            key.text.char_indices().rev().nth(3).filter(|_| key.text.len() >= 16).map_or("", |(at, _)| &key.text[at..]);
        Some(tool::Account { id, label: format!("key ...{end} at {}", self.base.host_str().unwrap_or("an address")) })
    }

    /// A text of the provider's without our key, which some of them quote.
    pub(crate) fn without_key(&self, text: String) -> String {
        match &self.key {
            Some(key) if text.contains(&key.text) => text.replace(&key.text, "(the key)"),
            _ => text,
        }
    }

    /// Who answers there, as people call it.
    pub(crate) fn who(&self, provider: &Provider) -> String {
        if provider.is_public(&self.base) {
            return provider.title.to_owned();
        }
        format!("{} at {}", provider.title, http::shown(&self.base))
    }

    /// Where address and key were found, in a sentence for the machine's owner.
    pub(crate) fn sentence(&self) -> String {
        let address = format!("address: {} ({})", http::shown(&self.base), self.base_place);
        match (&self.key, &self.withheld) {
            (Some(key), _) => format!("key: {}; {address}", key.place),
            (None, Some(place)) => format!("no key: {place} is for another address; {address}"),
            (None, None) => address,
        }
    }
}

impl Key {
    fn new(text: &str, scheme: Scheme, place: Place, variable: &'static str) -> Result<Self, Obstacle> {
        if HeaderValue::from_str(text).is_err() {
            return Err(Obstacle::NeedsLogin(format!("{place} holds characters that no key has: set it anew")));
        }
        Ok(Self { text: text.to_owned(), scheme, place, variable })
    }

    /// The key itself, for the one who needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.sentence())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(entry) => write!(f, "{entry} in worker.toml"),
            Self::SettingsVariable(name) => write!(f, "{name} in env of worker.toml"),
            Self::Keychain => f.write_str("what `garageswarm tool login` kept"),
            Self::Environment(name) => write!(f, "{name} in the environment"),
            Self::Public => f.write_str("the provider's own"),
        }
    }
}

impl From<Obstacle> for ToolHealth {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Missing(fix) => Self::Missing { fix },
            Obstacle::NeedsLogin(fix) => Self::NeedsLogin { fix },
        }
    }
}

impl From<Obstacle> for RefusalReason {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Missing(fix) => Self::ToolMissing { fix },
            Obstacle::NeedsLogin(fix) => Self::ToolNeedsLogin { fix },
        }
    }
}

fn url_of_settings(provider: &Provider, settings: &ToolSettings) -> Option<(String, Place)> {
    let set = |text: &String, place| Some((text.trim().to_owned(), place)).filter(|(text, _)| !text.is_empty());
    let url = settings.url.as_ref().and_then(|url| set(url, Place::Settings("url")));
    url.or_else(|| set(settings.env.get(provider.address)?, Place::SettingsVariable(provider.address)))
}

fn key_of_settings(provider: &Provider, settings: &ToolSettings) -> Result<Option<Key>, Obstacle> {
    if let Some(path) = &settings.api_key_file {
        let text = read_key(path)?;
        return Key::new(&text, provider.scheme, Place::Settings("api_key_file"), provider.variable()).map(Some);
    }
    let found = provider.keys.iter().find_map(|(name, scheme)| {
        let text = settings.env.get(*name)?.trim();
        (!text.is_empty()).then_some((*name, *scheme, text))
    });
    found.map(|(name, scheme, text)| Key::new(text, scheme, Place::SettingsVariable(name), name)).transpose()
}

fn read_key(path: &Path) -> Result<String, Obstacle> {
    let unusable = |why: String| Obstacle::NeedsLogin(format!("the key file {} {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if text.trim().is_empty() { Err(unusable("is empty".to_owned())) } else { Ok(text.trim().to_owned()) }
}

#[cfg(test)]
mod tests;
