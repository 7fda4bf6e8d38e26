//! The system's keychain, asked with a time limit: one that hangs or is not there must cost two seconds, not
//! the command.
//!
//! One that hung once is not asked again by this process, so that no command waits twice. Where there is none,
//! secrets lie in files that only their owner may read; `doctor` says which it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long the keychain may take.
const PATIENCE: Duration = Duration::from_secs(2);

const SERVICE: &str = "garageswarm";

/// Whether the keychain has kept this process waiting.
static HUNG: AtomicBool = AtomicBool::new(false);

/// The system's keychain, if it may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vault {
    enabled: bool,
    /// Secrets that a test keeps in place of the system.
    #[cfg(test)]
    kept: Option<&'static std::sync::Mutex<std::collections::BTreeMap<String, String>>>,
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
        Self {
            enabled: std::env::var("GARAGESWARM_KEYCHAIN").as_deref() != Ok("off"),
            #[cfg(test)]
            kept: None,
        }
    }

    /// No keychain.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self { enabled: false, kept: None }
    }

    /// A keychain that lives as long as the test.
    #[cfg(test)]
    pub(crate) fn of_test() -> Self {
        Self { enabled: true, kept: Some(Box::leak(Box::default())) }
    }

    /// Whether there is one that answers.
    pub(crate) fn probe(self) -> Result<(), VaultError> {
        self.ask(store_status, || ())
    }

    /// A secret; none where there is none of that name.
    pub(crate) fn get(self, name: &str) -> Result<Option<String>, VaultError> {
        #[cfg(test)]
        if let Some(kept) = self.kept {
            return Ok(kept.lock().unwrap().get(name).cloned());
        }
        let name = name.to_owned();
        let question = move || match keyring::Entry::new(SERVICE, &name)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        };
        self.ask(question, || ())
    }

    /// Keeps a secret. Where this fails the keychain does not have it, also if it wakes up later.
    pub(crate) fn set(self, name: &str, secret: &str) -> Result<(), VaultError> {
        #[cfg(test)]
        if let Some(kept) = self.kept {
            kept.lock().unwrap().insert(name.to_owned(), secret.to_owned());
            return Ok(());
        }
        let (name, secret, late) = (name.to_owned(), secret.to_owned(), name.to_owned());
        let question = move || keyring::Entry::new(SERVICE, &name)?.set_password(&secret);
        self.ask(question, move || {
            // By now it is kept elsewhere.
            keyring::Entry::new(SERVICE, &late).and_then(|entry| entry.delete_credential()).ok();
        })
    }

    pub(crate) fn forget(self, name: &str) -> Result<(), VaultError> {
        #[cfg(test)]
        if let Some(kept) = self.kept {
            kept.lock().unwrap().remove(name);
            return Ok(());
        }
        let name = name.to_owned();
        let question = move || match keyring::Entry::new(SERVICE, &name)?.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            done => done,
        };
        self.ask(question, || ())
    }

    /// Asks in a thread of its own, which is left behind when it takes too long; `late` mends what it did when
    /// nobody waited any more.
    fn ask<T: Send + 'static>(
        self,
        question: impl FnOnce() -> keyring::Result<T> + Send + 'static,
        late: impl FnOnce() + Send + 'static,
    ) -> Result<T, VaultError> {
        if !self.enabled {
            return Err(VaultError::SwitchedOff);
        }
        if HUNG.load(Ordering::Relaxed) {
            return Err(VaultError::TimedOut);
        }
        // Without room for the answer: it is either taken, or known to have come too late.
        let (answer, inbox) = mpsc::sync_channel(0);
        thread::spawn(move || {
            let answered = question();
            let is_done = answered.is_ok();
            if answer.send(answered).is_err() && is_done {
                late();
            }
        });
        let answered = inbox.recv_timeout(PATIENCE).map_err(|_| {
            HUNG.store(true, Ordering::Relaxed);
            VaultError::TimedOut
        })?;
        // That there is none is told with the reason.
        let failed = |error| match error {
            keyring::Error::NoDefaultStore => VaultError::Failed(store_status().err().unwrap_or(error)),
            error => VaultError::Failed(error),
        };
        answered.map_err(failed)
    }
}

/// Whether the system has a keychain. Asked once a process, which may take as long as the keychain likes.
fn store_status() -> keyring::Result<()> {
    match keyring::Entry::store_status() {
        Ok(()) => Ok(()),
        // The status lives as long as the process and cannot be taken out of it.
        Err(error) => Err(keyring::Error::PlatformFailure(error.to_string().into())),
    }
}
