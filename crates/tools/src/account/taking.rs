//! Taking a key that a person gives: for which address it is, and whether the provider there knows it.

use std::time::Duration;

use super::{Account, KeptKey, Obstacle, Provider, key_of_settings};
use crate::catalogue::Listing;
use crate::http;
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// How long a provider may take to say whether it knows a key. A person waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenKey {
    /// The key, with the address that it goes to.
    pub key: KeptKey,
    /// That address, as it may be shown.
    pub address: String,
    /// How many models the provider listed for it; none where it was not asked.
    pub models: Option<usize>,
}

/// A key that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The tool asks nobody who wants one.
    #[error("{0} needs no key")]
    NotWanted(String),
    /// It would not be used, or not reach its provider safely.
    #[error("{0}")]
    Unusable(String),
    /// The provider does not know it.
    #[error("{why}; nothing was kept")]
    Refused {
        /// In the provider's words, which hold no key.
        why: String,
    },
    /// The provider did not answer.
    #[error("{address} does not answer ({why}), so the key cannot be checked: --no-check keeps it all the same")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
}

/// Finds the address of a key, and asks there for the list of models where that is wanted.
pub(crate) async fn take<F: Future<Output = Listing>>(
    provider: &Provider,
    text: &str,
    settings: &ToolSettings,
    variables: &Variables,
    ask: Option<impl FnOnce(Account) -> F>,
) -> Result<TakenKey, KeyError> {
    let unusable = |obstacle: Obstacle| KeyError::Unusable(obstacle.words().to_owned());
    if settings.own_login == Some(true) {
        let words = "own_login = true in worker.toml: the tool uses its own login, and no key besides";
        return Err(KeyError::Unusable(words.to_owned()));
    }
    if let Some(first) = key_of_settings(provider, settings).map_err(unusable)? {
        return Err(KeyError::Unusable(format!("there is a key already that comes first: {}", first.place)));
    }
    let without = ToolSettings { kept_key: None, ..settings.clone() };
    let home = Account::resolve(provider, &without, variables).map_err(unusable)?.base;
    let key = KeptKey::new(&home, text.trim());
    let with = ToolSettings { kept_key: Some(key.clone()), ..without };
    let account = Account::resolve(provider, &with, variables).map_err(unusable)?;
    let address = http::shown(&account.base);
    let Some(ask) = ask else { return Ok(TakenKey { key, address, models: None }) };
    let late = || Listing::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()));
    match tokio::time::timeout(PATIENCE, ask(account)).await.unwrap_or_else(|_| late()) {
        Listing::Models(models) => Ok(TakenKey { key, address, models: Some(models.len()) }),
        Listing::KeyRefused(why) => Err(KeyError::Refused { why }),
        Listing::Unreachable(why) => Err(KeyError::Unreachable { address, why }),
    }
}
