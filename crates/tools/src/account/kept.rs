//! A key that its owner gave to the worker (`garageswarm tool login`), with the address that it was given for.
//!
//! It lies in the system's keychain, or in a file that only its owner may read; the agent puts it into the settings of
//! its tool while it lives. It is never part of a file of settings, and shows itself to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Key, Obstacle, Place, Provider};
use crate::http;

/// A key that was given to the worker for one tool.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptKey(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    /// It is there.
    Known(Secret),
    /// There is one, and its keeper does not give it out, for this reason.
    OutOfReach(String),
}

/// As it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Secret {
    address: String,
    key: String,
}

impl KeptKey {
    pub(crate) fn new(address: &Url, key: &str) -> Self {
        Self(Kept::Known(Secret { address: address.to_string(), key: key.to_owned() }))
    }

    /// Reads what was kept.
    pub fn from_secret(text: &str) -> Self {
        let read = serde_json::from_str(text);
        Self(read.map_or_else(|_| Kept::OutOfReach("what is kept is no key".to_owned()), Kept::Known))
    }

    /// A key that is kept and cannot be had now.
    pub fn out_of_reach(why: impl Into<String>) -> Self {
        Self(Kept::OutOfReach(why.into()))
    }

    /// What is to be kept; none where there is nothing.
    pub fn to_secret(&self) -> Option<String> {
        match &self.0 {
            Kept::Known(secret) => serde_json::to_string(secret).ok(),
            Kept::OutOfReach(_) => None,
        }
    }

    /// The key for a provider, and the address that it goes to.
    pub(super) fn read(&self, provider: &Provider) -> Result<(Key, Url), Obstacle> {
        let secret = match &self.0 {
            Kept::Known(secret) => secret,
            Kept::OutOfReach(why) => {
                return Err(Obstacle::NeedsLogin(format!(
                    "its key is out of reach ({why}): start the worker anew when it is there, or give the key again \
                     with `garageswarm tool login`"
                )));
            }
        };
        let key = Key::new(&secret.key, provider.scheme, Place::Keychain, provider.variable())?;
        let broken = || Obstacle::NeedsLogin("the address of its key cannot be read: give the key again".to_owned());
        Ok((key, http::address(&secret.address).ok_or_else(broken)?))
    }
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Known(_) => f.write_str("KeptKey(..)"),
            Kept::OutOfReach(why) => write!(f, "KeptKey(out of reach: {why})"),
        }
    }
}
