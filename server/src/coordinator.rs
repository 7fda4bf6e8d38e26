//! A running coordinator: how it is put together, served, and ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use swarm_model::Clock;
use swarm_store::{StoreError, Stores};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::announce::Announcement;
use crate::auth::Auth;
use crate::config::ServerConfig;
use crate::dispatch::{self, Dispatcher};
use crate::hub::Hub;
use crate::quotas::Quotas;
use crate::serving::{Listeners, Serving};
use crate::state::{AppState, Ids, Parts};
use crate::telemetry::{MetricsError, MetricsHandle};
use crate::tls::{Certificates, TlsError};
use crate::{api, retention};

/// How long open requests may take to end after the coordinator was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// What a coordinator works with.
#[derive(Debug)]
pub struct Deps {
    /// The settings.
    pub config: ServerConfig,
    /// Everything that is kept.
    pub stores: Stores,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a coordinator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict each other.
    #[error("the configuration is not sound: {0}")]
    Config(String),
    /// The data folder cannot be used.
    #[error("the data folder cannot be used")]
    DataDir(#[source] io::Error),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// The metrics cannot be recorded.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The certificates cannot be made or used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("the coordinator cannot listen")]
    Listen(#[source] io::Error),
}

/// A coordinator that has taken up its queue, and is served by [`Coordinator::serve`].
#[derive(Debug)]
pub struct Coordinator {
    state: AppState,
    router: Router,
    background: TaskTracker,
}

/// Starts a coordinator and serves it on `listener` until `shutdown`. The single way in for the program and the
/// tests; who needs the state first (a sign-in link) calls the two parts.
pub async fn run(listener: TcpListener, mut deps: Deps, shutdown: CancellationToken) -> Result<(), StartError> {
    deps.config.server.listen = listener.local_addr().map_err(StartError::Listen)?;
    let coordinator = Coordinator::start(deps.config, deps.stores, deps.clock).await?;
    coordinator.serve(listener, shutdown).await
}

impl Coordinator {
    /// Takes up what the store holds and begins the background work. `config.server.listen` is the address that
    /// is really served: by it the coordinator knows its own names.
    pub async fn start(config: ServerConfig, stores: Stores, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let problems = config.validate();
        if !problems.is_empty() {
            let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
            return Err(StartError::Config(all.join("; ")));
        }
        let metrics = MetricsHandle::of_process()?;
        let auth = Auth::new(&config.server, &config.storage.data_dir, &stores, Arc::clone(&clock))
            .map_err(StartError::DataDir)?;
        let certificates = Certificates::open(&config, clock.now())?;
        let hub = Hub::default();
        let (background, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let dispatcher = Dispatcher::start(
            dispatch::Deps {
                store: Arc::clone(&stores.tasks),
                clock: Arc::clone(&clock),
                hub: hub.clone(),
                max_waiting: config.limits.waiting_tasks,
                is_paused: api::swarm::is_paused(&*stores.people).await?,
            },
            &background,
            shutdown.clone(),
        )
        .await?;
        let quotas = Quotas::new(&config.limits, &clock);
        let state = AppState::new(Parts {
            quotas,
            started_at: clock.now(),
            config,
            clock,
            ids: Ids::default(),
            stores,
            auth,
            certificates,
            dispatcher,
            hub,
            metrics,
            shutdown,
            tracker: TaskTracker::new(),
        });
        background.spawn(retention::run(state.clone()));
        if let Some(certificates) = &state.certificates {
            background.spawn(certificates.keeper()?.keep(state.clone()));
        }
        let router = api::router(&state);
        Ok(Self { state, router, background })
    }

    /// What the handlers share; for first-start functions and tests.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The whole interface as a service, for requests in process.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then lets open requests end and stops. A TLS listener belongs to
    /// `config.server.tls_listen`, which is the address that it really has.
    pub async fn serve(self, listeners: impl Into<Listeners>, shutdown: CancellationToken) -> Result<(), StartError> {
        let config = &self.state.config;
        let tls = self.state.certificates.as_ref().map(Certificates::server_config).transpose()?;
        let announcement = match (config.server.tls_listen, self.state.fingerprint()) {
            (Some(listen), Some(fingerprint)) if config.server.announce => Announcement::begin(listen, fingerprint),
            _ => None,
        };
        let serving = Serving::new(self.router.clone(), tls, config, self.state.shutdown.clone());
        tokio::select! {
            () = serving.accept(listeners.into()) => {}
            () = shutdown.cancelled() => tracing::info!("stopping: open requests may end"),
        }
        drop(announcement);
        self.state.shutdown.cancel();
        if !serving.drain(DRAIN).await {
            tracing::warn!("some requests did not end in time");
        }
        self.stop().await
    }

    /// Ends the sockets and the background work, and lets go of the store.
    pub async fn stop(self) -> Result<(), StartError> {
        self.state.shutdown.cancel();
        for tracker in [&self.state.tracker, &self.background] {
            tracker.close();
            if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
                tracing::warn!("some work did not end in time");
            }
        }
        self.state.stores.housekeeping.close().await?;
        Ok(())
    }
}
