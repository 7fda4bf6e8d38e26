//! Passwords: argon2id with OWASP's parameters, off the async threads and few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use swarm_proto::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed at once: each takes a processor and 19 MiB.
const AT_ONCE: usize = 2;
/// Those that wait for their turn; more are sent away.
const WAITING: usize = 32;
const MIN_CHARS: usize = 10;
/// Hashing reads all of it, so there is an end.
const MAX_BYTES: usize = 1024;

/// A hash that no password has. It is verified where there is no account, so that both take the same time.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2FyYWdlc3dhcm0uZGVjb3k$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Passwords {
    /// The hash to keep of a new password, if the password is good enough.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        check(&password)?;
        let turn = self.turn().await?;
        tokio::task::spawn_blocking(move || {
            let hash = argon2()?.hash_password(password.as_bytes())?.to_string();
            drop(turn);
            Ok::<_, argon2::password_hash::Error>(hash)
        })
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)
    }

    /// Whether `password` has this hash; where there is none, it takes as long and is wrong.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, ApiError> {
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        let turn = self.turn().await?;
        tokio::task::spawn_blocking(move || {
            let argon2 = argon2()?;
            let outcome = argon2.verify_password(password.as_bytes(), hash.as_deref().unwrap_or(DECOY));
            drop(turn);
            match outcome {
                Ok(()) => Ok(hash.is_some()),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let _place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| {
            ApiError::new(
                ErrorCode::TooManyRequests,
                "Too many people sign in at this moment: try again in a few seconds.",
            )
            .retry_after(Duration::from_secs(2))
        })?;
        Arc::clone(&self.running).acquire_owned().await.map_err(ApiError::internal)
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn check(password: &str) -> Result<(), ApiError> {
    if password.chars().count() < MIN_CHARS {
        return Err(ApiError::invalid(format!("A password has at least {MIN_CHARS} characters: choose a longer one.")));
    }
    if password.len() > MAX_BYTES {
        return Err(ApiError::invalid(format!("A password has at most {MAX_BYTES} bytes: choose a shorter one.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_has_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".to_owned(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_signs_in_where_there_is_no_password() {
        let passwords = Passwords::default();
        assert!(!passwords.verify("anything at all".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_endless_ones_are_refused() {
        let passwords = Passwords::default();
        assert!(passwords.hash("short".to_owned()).await.is_err());
        assert!(passwords.hash("x".repeat(2000)).await.is_err());
    }
}
