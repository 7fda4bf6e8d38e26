//! The link by which a machine joins: `garageswarm://join?address=...&fingerprint=...&code=...`.
//!
//! It carries a secret, so nothing shows it but [`std::fmt::Display`]. Reading is strict: a part that is missing,
//! given twice or not known is an error and not a guess. An address in plain HTTP is taken for this machine alone,
//! because the code would travel readably.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::fingerprint::Fingerprint;

const SCHEME: &str = "garageswarm";
const PLACE: &str = "join";
/// More than these cannot be tried in the time of a code, and would not fit into a picture.
const MAX_ADDRESSES: usize = 16;
const MAX_CODE: usize = 200;

/// What a machine needs to join a coordinator, once.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    addresses: Vec<String>,
    fingerprint: Option<Fingerprint>,
    code: String,
}

/// A text that is no joining link, or one that must not be followed. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinLinkError {
    /// It is something else.
    #[error("this is no joining link: one begins with garageswarm://join?")]
    NotALink,
    /// A part is missing.
    #[error("the joining link has no {0}: copy all of it")]
    Missing(&'static str),
    /// A part is there twice.
    #[error("the joining link has more than one {0}")]
    Twice(&'static str),
    /// A part of a newer version, or of nobody's.
    #[error("the joining link has a part \"{0}\" that this version does not know")]
    Unknown(String),
    /// An address is none.
    #[error("the joining link holds an address that is none: \"{0}\"")]
    Address(String),
    /// Everybody on the way could read the code.
    #[error(
        "the joining link holds {0}, which is plain HTTP beyond this machine: everybody on the way could read the code"
    )]
    PlainHttp(String),
    /// There are too many addresses.
    #[error("the joining link holds more than {MAX_ADDRESSES} addresses")]
    TooMany,
    /// The fingerprint is none.
    #[error("the fingerprint in the joining link is damaged: copy all of the link")]
    Fingerprint,
    /// The code is none.
    #[error("the code in the joining link is damaged: copy all of the link")]
    Code,
}

impl JoinLink {
    /// A link with these parts, where they make sense.
    pub fn new(addresses: Vec<String>, fingerprint: Option<Fingerprint>, code: String) -> Result<Self, JoinLinkError> {
        if addresses.is_empty() {
            return Err(JoinLinkError::Missing("address"));
        }
        if addresses.len() > MAX_ADDRESSES {
            return Err(JoinLinkError::TooMany);
        }
        addresses.iter().try_for_each(|address| check_address(address))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if code.is_empty() || code.len() > MAX_CODE || !code.bytes().all(is_plain) {
            return Err(JoinLinkError::Code);
        }
        Ok(Self { addresses, fingerprint, code })
    }

    /// Where the coordinator may be, the likeliest address first.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What its certificate must be; none where the usual authorities vouch for it.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The worker key: it works once.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// Whether it is an origin that a machine may follow.
fn check_address(text: &str) -> Result<(), JoinLinkError> {
    let shown = || text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let wrong = || JoinLinkError::Address(shown());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !is_bare || url.path() != "/" {
        return Err(wrong());
    }
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong()),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err(JoinLinkError::PlainHttp(shown())),
        _ => Err(wrong()),
    }
}

impl FromStr for JoinLink {
    type Err = JoinLinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim()).map_err(|_| JoinLinkError::NotALink)?;
        if url.scheme() != SCHEME || url.host_str() != Some(PLACE) || !matches!(url.path(), "" | "/") {
            return Err(JoinLinkError::NotALink);
        }
        if url.fragment().is_some() || url.port().is_some() || !url.username().is_empty() {
            return Err(JoinLinkError::NotALink);
        }
        let (mut addresses, mut fingerprint, mut code) = (Vec::new(), None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "address" => addresses.push(value.into_owned()),
                "fingerprint" => {
                    let read = value.parse().map_err(|_| JoinLinkError::Fingerprint)?;
                    if fingerprint.replace(read).is_some() {
                        return Err(JoinLinkError::Twice("fingerprint"));
                    }
                }
                "code" if code.is_some() => return Err(JoinLinkError::Twice("code")),
                "code" => code = Some(value.into_owned()),
                other => {
                    let other = other.chars().filter(|c| c.is_alphanumeric()).take(40).collect();
                    return Err(JoinLinkError::Unknown(other));
                }
            }
        }
        Self::new(addresses, fingerprint, code.ok_or(JoinLinkError::Missing("code"))?)
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for address in &self.addresses {
            query.append_pair("address", address);
        }
        if let Some(fingerprint) = self.fingerprint {
            query.append_pair("fingerprint", &fingerprint.to_string());
        }
        query.append_pair("code", &self.code);
        write!(f, "{SCHEME}://{PLACE}?{}", query.finish())
    }
}

/// Shows no code.
impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLink")
            .field("addresses", &self.addresses)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
