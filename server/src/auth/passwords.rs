//! Passwords: argon2id with OWASP's parameters, off the async threads and few at a time.
//!
//! Hashing is work that strangers can ask for. It is done by threads of its own with the lowest priority, so that a
//! flood of sign-ins takes the time that nothing else wants. Strangers wait in a short line of their own, so that
//! those whom we know from before come through.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use swarm_proto::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::ApiError;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed at once, as a part of the processors: each takes one, and 19 MiB.
const ONE_OF: usize = 4;
/// Those from where we know somebody that wait for their turn; more are sent away.
const KNOWN_WAITING: usize = 32;
/// Strangers that wait for their turn: a fraction of a second in front of those we know.
const STRANGERS_WAITING: usize = 8;
const MIN_CHARS: usize = 10;
/// Hashing reads all of it, so there is an end.
const MAX_BYTES: usize = 1024;

/// A hash that no password has. It is verified where there is no account, so that both take the same time.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2FyYWdlc3dhcm0uZGVjb3k$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether somebody came in from the same network before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// Somebody did.
    Known,
    /// Nobody did.
    Stranger,
}

type Job = Box<dyn FnOnce() + Send>;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Started with the first password: a coordinator where nobody signs in has no such thread.
    threads: OnceLock<Sender<Job>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(KNOWN_WAITING)),
            strangers: Arc::new(Semaphore::new(STRANGERS_WAITING)),
            threads: OnceLock::new(),
        }
    }
}

impl Passwords {
    /// The hash to keep of a new password, if the password is good enough.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        check(&password)?;
        let hash = self.work(Visitor::Known, move || {
            Ok::<_, argon2::password_hash::Error>(argon2()?.hash_password(password.as_bytes())?.to_string())
        });
        hash.await?.map_err(ApiError::internal)
    }

    /// Whether `password` has this hash; where there is none, it takes as long and is wrong.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        visitor: Visitor,
    ) -> Result<bool, ApiError> {
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        let verified = self.work(visitor, move || {
            match argon2()?.verify_password(password.as_bytes(), hash.as_deref().unwrap_or(DECOY)) {
                Ok(()) => Ok(hash.is_some()),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        });
        verified.await?.map_err(ApiError::internal)
    }

    /// Lets a thread do it, once the line is short enough.
    async fn work<T: Send + 'static>(
        &self,
        visitor: Visitor,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = self.place(visitor)?;
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A caller that went away needs no answer.
            done.send(work()).ok();
            drop(place);
        });
        self.threads
            .get_or_init(start_threads)
            .send(job)
            .map_err(|_| ApiError::internal("no thread hashes passwords"))?;
        outcome.await.map_err(ApiError::internal)
    }

    fn place(&self, visitor: Visitor) -> Result<OwnedSemaphorePermit, ApiError> {
        let line = match visitor {
            Visitor::Known => &self.known,
            Visitor::Stranger => &self.strangers,
        };
        Arc::clone(line).try_acquire_owned().map_err(|_| {
            ApiError::new(
                ErrorCode::TooManyRequests,
                "Too many people sign in at this moment: try again in a few seconds.",
            )
            .retry_after(Duration::from_secs(2))
        })
    }
}

/// Threads that end with the sender.
fn start_threads() -> Sender<Job> {
    let (jobs, inbox) = channel();
    let inbox = Arc::new(Mutex::new(inbox));
    let n_threads = thread::available_parallelism().map_or(1, std::num::NonZero::get) / ONE_OF;
    for _ in 0..n_threads.max(1) {
        let inbox = Arc::clone(&inbox);
        // Where no thread can be started, the senders are told that nobody listens.
        drop(thread::Builder::new().name("passwords".to_owned()).spawn(move || run(&inbox)));
    }
    jobs
}

fn run(inbox: &Mutex<Receiver<Job>>) {
    step_back();
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

/// Gives way to everything else on this machine. Only Linux counts priorities by thread.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "password hashing keeps its usual priority");
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
        assert!(passwords.verify("correct horse".to_owned(), Some(hash.clone()), Visitor::Known).await.unwrap());
        assert!(!passwords.verify("wrong horse".to_owned(), Some(hash), Visitor::Known).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_signs_in_where_there_is_no_password() {
        let passwords = Passwords::default();
        assert!(!passwords.verify("anything at all".to_owned(), None, Visitor::Stranger).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_endless_ones_are_refused() {
        let passwords = Passwords::default();
        assert!(passwords.hash("short".to_owned()).await.is_err());
        assert!(passwords.hash("x".repeat(2000)).await.is_err());
    }

    /// Strangers fill their own line, and whoever was here before still comes in.
    #[tokio::test]
    async fn strangers_stand_in_a_line_of_their_own() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        let full: Vec<_> = (0..STRANGERS_WAITING).map(|_| passwords.place(Visitor::Stranger).unwrap()).collect();
        let refused = passwords.verify("guess".to_owned(), None, Visitor::Stranger).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::TooManyRequests);
        assert!(passwords.verify("correct horse".to_owned(), Some(hash), Visitor::Known).await.unwrap());
        drop(full);
        assert!(!passwords.verify("guess".to_owned(), None, Visitor::Stranger).await.unwrap());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_everything_else() {
        let passwords = Passwords::default();
        let priority = passwords.work(Visitor::Known, || rustix::process::getpriority_process(None)).await.unwrap();
        assert_eq!(priority.unwrap(), 19);
    }
}
