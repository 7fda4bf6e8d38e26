//! What every handler and background task shares.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use swarm_model::id::{Entropy, SystemEntropy};
use swarm_model::{Clock, Timestamp};
use swarm_proto::Fingerprint;
use swarm_store::Stores;
use swarm_store::token::Revoked;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::config::ServerConfig;
use crate::dispatch::Dispatcher;
use crate::hub::Hub;
use crate::machine;
use crate::quotas::Quotas;
use crate::telemetry::MetricsHandle;
use crate::tls::Certificates;

/// A handle of the running coordinator; clones share it.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of a coordinator.
#[derive(Debug)]
pub struct Parts {
    /// The settings. `server.listen` is the address that was really bound.
    pub config: ServerConfig,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Ids,
    /// Everything that is kept.
    pub stores: Stores,
    /// Who may come in.
    pub auth: Auth,
    /// The certificates of the TLS listener, where there is one.
    pub certificates: Option<Certificates>,
    /// How much one person or worker may take.
    pub(crate) quotas: Quotas,
    /// The owner of the queue.
    pub dispatcher: Dispatcher,
    /// Who is told of commits.
    pub hub: Hub,
    /// The numbers so far.
    pub metrics: MetricsHandle,
    /// When this coordinator started.
    pub started_at: Timestamp,
    /// Ends what waits: long polls, sockets, streams.
    pub shutdown: CancellationToken,
    /// Where tasks of requests that outlive their handler are spawned (sockets).
    pub tracker: TaskTracker,
}

impl AppState {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What machines that join pin; none where there is no TLS listener, or its certificate was given.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.certificates.as_ref().and_then(Certificates::fingerprint)
    }

    /// Where other machines reach the TLS listener, the likeliest address first.
    pub fn lan_addresses(&self) -> Vec<String> {
        self.config.server.tls_listen.map(machine::listened).unwrap_or_default()
    }

    /// How people on other machines reach the panel: by the public name, else over the TLS listener, else not at all,
    /// and then it is as this machine reaches it. Never taken from a request.
    pub(crate) fn outward_url(&self) -> String {
        let by_name = self.config.server.public_url.is_some();
        let lan = if by_name { None } else { self.lan_addresses().into_iter().next() };
        lan.unwrap_or_else(|| self.config.base_url())
    }

    /// Carries out the end of credentials that a commit has brought: from here on they are refused, and the
    /// sockets that were opened with them close.
    pub async fn end_credentials(&self, revoked: &Revoked) {
        self.auth.credentials_ended(revoked);
        for worker in revoked.tokens.iter().filter_map(|token| token.worker_id) {
            self.dispatcher.disconnect(worker).await;
        }
    }

    /// A new id, as `state.new_id(TaskId::new)`.
    pub fn new_id<T>(&self, make: impl FnOnce(Timestamp, &mut dyn Entropy) -> T) -> T {
        self.ids.make(self.now(), make)
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The source of random bits for ids. Secrets never come from here: they are drawn from the system's generator.
pub struct Ids(Mutex<Box<dyn Entropy + Send>>);

impl Ids {
    /// Ids from `entropy`.
    pub fn new(entropy: impl Entropy + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(entropy)))
    }

    pub(crate) fn make<T>(&self, now: Timestamp, make: impl FnOnce(Timestamp, &mut dyn Entropy) -> T) -> T {
        make(now, &mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new(SystemEntropy)
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}
