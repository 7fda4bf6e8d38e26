//! How much one person or one worker may take of what all share: open sockets, log lines, files.
//!
//! A worker that talks too fast over its socket is read more slowly, so that nothing is lost; over HTTP it is told
//! when to come back. What tries secrets is limited elsewhere (`auth`).

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use swarm_model::{Clock, UserId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::worker::Report;
use swarm_store::artifact::StoredArtifact;

use crate::auth::LimiterClock;
use crate::config::Limits;
use crate::error::ApiError;

/// What a worker may say at once after a silence, in seconds of its steady rate.
const BURST_SECONDS: u32 = 16;

type LogLimiter = RateLimiter<WorkerId, DefaultKeyedStateStore<WorkerId>, LimiterClock, NoOpMiddleware<Nanos>>;

/// What is counted.
pub(crate) struct Quotas {
    limits: Limits,
    sockets: Arc<Mutex<HashMap<UserId, usize>>>,
    logs: LogLimiter,
    burst: NonZeroU32,
    clock: LimiterClock,
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quotas")
    }
}

/// An open socket of a person; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenSocket {
    user: UserId,
    sockets: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sockets.get_mut(&self.user) {
            *open -= 1;
            if *open == 0 {
                sockets.remove(&self.user);
            }
        }
    }
}

impl Quotas {
    pub(crate) fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        let clock = LimiterClock::new(clock);
        let rate = NonZeroU32::new(limits.log_bytes_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1));
        let quota = Quota::per_second(rate).allow_burst(burst);
        let logs = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { limits: limits.clone(), sockets: Arc::default(), logs, burst, clock }
    }

    /// One more socket of a person.
    pub(crate) fn open_socket(&self, user: UserId) -> Result<OpenSocket, ApiError> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sockets.entry(user).or_default();
        let limit = self.limits.viewer_sockets;
        if *open >= limit {
            let detail =
                format!("{limit} sockets of yours are open, and more may not be: close one (a tab, a `--follow`).");
            return Err(ApiError::new(ErrorCode::TooManyRequests, detail).retry_after(Duration::from_secs(10)));
        }
        *open += 1;
        Ok(OpenSocket { user, sockets: Arc::clone(&self.sockets) })
    }

    /// How long a worker must wait before these lines are taken; none where they are at once.
    pub(crate) fn log_pause(&self, worker: WorkerId, report: &Report) -> Option<Duration> {
        let lines = report.logs.iter().flat_map(|batch| &batch.lines);
        let bytes: usize = lines.map(|line| line.text.len()).sum();
        // More than may come at once would never be let through: it counts as the most.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.burst.get());
        let bytes = NonZeroU32::new(bytes)?;
        match self.logs.check_key_n(&worker, bytes) {
            Ok(Ok(())) | Err(_) => None,
            Ok(Err(refusal)) => Some(refusal.wait_time_from(self.clock.now())),
        }
    }

    /// Refuses one more file of an attempt where that would be too much.
    pub(crate) fn one_more_file(&self, stored: &[StoredArtifact], attempt: u32, name: &str) -> Result<(), ApiError> {
        let others = stored.iter().filter(|stored| stored.attempt == attempt && stored.artifact.name != name);
        let (files, bytes) = others.fold((0, 0), |(files, bytes), stored| (files + 1, bytes + stored.artifact.size));
        let (most_files, most_bytes) = (self.limits.artifacts_per_attempt, self.limits.artifact_bytes_per_attempt);
        if files >= most_files {
            let detail = format!("An attempt keeps at most {most_files} files (limits.artifacts_per_attempt).");
            return Err(ApiError::new(ErrorCode::TooLarge, detail));
        }
        if bytes >= most_bytes {
            let detail = format!("An attempt keeps at most {most_bytes} bytes (limits.artifact_bytes_per_attempt).");
            return Err(ApiError::new(ErrorCode::TooLarge, detail));
        }
        Ok(())
    }

    /// Forgets workers that have been quiet.
    pub(crate) fn forget_old(&self) {
        self.logs.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::log::{LogLine, LogStream};
    use swarm_model::task::Artifact;
    use swarm_model::time::SystemClock;
    use swarm_model::worker::AttemptRef;
    use swarm_model::{TaskId, Timestamp};
    use swarm_proto::worker::LogBatch;

    use super::*;

    /// A clock that stands still.
    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1_000_000_000)
        }
    }

    fn quotas(change: impl FnOnce(&mut Limits)) -> Quotas {
        let mut limits = Limits::default();
        change(&mut limits);
        let clock: Arc<dyn Clock> = Arc::new(Still);
        Quotas::new(&limits, &clock)
    }

    fn said(bytes: usize) -> Report {
        let line =
            LogLine { n: 1, stream: LogStream::Stdout, text: "x".repeat(bytes), data: None, at: Timestamp::EPOCH };
        let attempt = AttemptRef { task_id: TaskId::generate(&SystemClock), attempt: 1 };
        Report { logs: vec![LogBatch { attempt, lines: vec![line] }], ..Report::default() }
    }

    #[test]
    fn a_socket_counts_until_it_closes() {
        let quotas = quotas(|limits| limits.viewer_sockets = 2);
        let (ann, ben) = (UserId::generate(&SystemClock), UserId::generate(&SystemClock));
        let one = quotas.open_socket(ann).unwrap();
        let _two = quotas.open_socket(ann).unwrap();
        assert_eq!(quotas.open_socket(ann).unwrap_err().code(), ErrorCode::TooManyRequests);
        assert!(quotas.open_socket(ben).is_ok());
        drop(one);
        assert!(quotas.open_socket(ann).is_ok());
    }

    #[test]
    fn who_talks_too_fast_waits_and_the_others_do_not() {
        let quotas = quotas(|limits| limits.log_bytes_per_second = 1000);
        let (fast, other) = (WorkerId::generate(&SystemClock), WorkerId::generate(&SystemClock));
        assert_eq!(quotas.log_pause(fast, &said(16_000)), None);
        let pause = quotas.log_pause(fast, &said(500)).expect("it has said all that it may at once");
        assert!(pause > Duration::from_millis(400) && pause <= Duration::from_millis(500), "{pause:?}");
        assert_eq!(quotas.log_pause(other, &said(500)), None);
        assert_eq!(quotas.log_pause(fast, &Report::default()), None, "what is no log is not limited");
        assert!(quotas.log_pause(fast, &said(10_000_000)).is_some_and(|pause| pause <= Duration::from_secs(16)));
    }

    #[test]
    fn an_attempt_keeps_so_much() {
        let quotas = quotas(|limits| {
            limits.artifacts_per_attempt = 2;
            limits.artifact_bytes_per_attempt = 10;
        });
        let file = |attempt, name: &str, size| StoredArtifact {
            attempt,
            artifact: Artifact { name: name.to_owned(), size, hash: String::new() },
            created_at: Timestamp::EPOCH,
        };
        assert!(quotas.one_more_file(&[file(1, "a", 1)], 1, "b").is_ok());
        let two = [file(1, "a", 1), file(1, "b", 1)];
        assert_eq!(quotas.one_more_file(&two, 1, "c").unwrap_err().code(), ErrorCode::TooLarge);
        assert!(quotas.one_more_file(&two, 1, "b").is_ok(), "again under the same name");
        assert!(quotas.one_more_file(&two, 2, "c").is_ok(), "another attempt");
        assert_eq!(quotas.one_more_file(&[file(1, "a", 10)], 1, "b").unwrap_err().code(), ErrorCode::TooLarge);
    }
}
