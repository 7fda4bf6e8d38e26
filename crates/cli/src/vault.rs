//! The system's keychain, asked with a time limit: one that hangs or is not there must cost two seconds, not
//! the command.
//!
//! Where there is none, secrets lie in files that only their owner may read; `doctor` says which it is.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long the keychain may take.
const PATIENCE: Duration = Duration::from_secs(2);

const SERVICE: &str = "garageswarm";

/// The system's keychain, if it may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vault {
    enabled: bool,
}

/// The keychain did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("the keychain is switched off by GARAGESWARM_KEYCHAIN=off")]
    SwitchedOff,
    #[error("the keychain did not answer within two seconds")]
    TimedOut,
    #[error("the keychain cannot be used")]
    Failed(#[source] keyring::Error),
}

impl Vault {
    /// The keychain, unless the environment switches it off.
    pub(crate) fn new() -> Self {
        Self { enabled: std::env::var("GARAGESWARM_KEYCHAIN").as_deref() != Ok("off") }
    }

    /// No keychain.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self { enabled: false }
    }

    /// Whether there is one that answers.
    pub(crate) fn probe(self) -> Result<(), VaultError> {
        self.ask(|| match keyring::Entry::store_status() {
            Ok(()) => Ok(()),
            // The status lives as long as the process and cannot be taken out of it.
            Err(error) => Err(keyring::Error::PlatformFailure(error.to_string().into())),
        })
    }

    /// A secret; none where there is none of that name.
    pub(crate) fn get(self, name: &str) -> Result<Option<String>, VaultError> {
        let name = name.to_owned();
        self.ask(move || match keyring::Entry::new(SERVICE, &name)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    pub(crate) fn set(self, name: &str, secret: &str) -> Result<(), VaultError> {
        let (name, secret) = (name.to_owned(), secret.to_owned());
        self.ask(move || keyring::Entry::new(SERVICE, &name)?.set_password(&secret))
    }

    pub(crate) fn forget(self, name: &str) -> Result<(), VaultError> {
        let name = name.to_owned();
        self.ask(move || match keyring::Entry::new(SERVICE, &name)?.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            done => done,
        })
    }

    /// Asks in a thread of its own, which is left behind when it takes too long.
    fn ask<T: Send + 'static>(
        self,
        question: impl FnOnce() -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, VaultError> {
        if !self.enabled {
            return Err(VaultError::SwitchedOff);
        }
        let (answer, inbox) = mpsc::sync_channel(1);
        // Nobody waits for an answer that comes too late.
        thread::spawn(move || answer.send(question()).ok());
        inbox.recv_timeout(PATIENCE).map_err(|_| VaultError::TimedOut)?.map_err(VaultError::Failed)
    }
}
