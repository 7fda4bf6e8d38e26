//! What `up` and `serve` have in common: an address, a store, a coordinator that is served until it is told to
//! stop, and the time it is given to end.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;
use swarm_client::{Address, ClientError, Fingerprint};
use swarm_model::time::SystemClock;
use swarm_server::{AppState, Coordinator, Listeners, ServerConfig, StartError, telemetry};
use swarm_store::{Holder, OpenOptions, StoreError, Stores};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure, with_causes};
use crate::interrupt::StopSignals;
use crate::places::make_private_dir;
use crate::readable::{BOLD, DIM};

/// A coordinator that answers.
#[derive(Debug)]
pub(crate) struct Hosted {
    pub(crate) state: AppState,
    /// Where this machine reaches it.
    pub(crate) address: Address,
    pub(crate) signals: StopSignals,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), StartError>>,
}

/// How other machines reach a coordinator.
#[derive(Debug, Serialize)]
pub(crate) struct Lan {
    pub(crate) addresses: Vec<String>,
    /// What they pin; none where the usual authorities vouch for the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Fingerprint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) words: Option<String>,
}

impl Lan {
    /// Where, the words to compare, and how a machine is invited.
    pub(crate) fn words_for_people(&self) -> String {
        let words = self.words.as_ref().map(|words| format!("\nknown by the words {BOLD}{words}{BOLD:#}"));
        let (addresses, words) = (self.addresses.join("\n"), words.unwrap_or_default());
        format!("{addresses}{words}\n{DIM}`garageswarm worker invite` adds a machine{DIM:#}")
    }
}

impl Hosted {
    /// Binds the address, opens the store, starts the coordinator and serves it.
    pub(crate) async fn start(mut config: ServerConfig) -> Result<Self, Failure> {
        let signals = StopSignals::listen()?;
        telemetry::init_logging(&config.log, "garageswarm").map_err(Failure::fault)?;
        make_private_dir(&config.storage.data_dir)?;
        let listener = bind(config.server.listen).await?;
        config.server.listen = listener.local_addr()?;
        let tls = match config.server.tls_listen {
            Some(listen) => Some(bind_tls(listen).await?),
            None => None,
        };
        config.server.tls_listen = tls.as_ref().map(TcpListener::local_addr).transpose()?;
        let address = local_address(config.server.listen)?;
        let stores = open_stores(&config).await?;
        let coordinator = Coordinator::start(config, stores, Arc::new(SystemClock)).await.map_err(Failure::fault)?;
        let state = coordinator.state().clone();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(coordinator.serve(Listeners { plain: listener, tls }, shutdown.clone()));
        Ok(Self { state, address, signals, shutdown, serving })
    }

    /// How other machines reach it; none without a TLS listener.
    pub(crate) fn lan(&self) -> Option<Lan> {
        let addresses = self.state.lan_addresses();
        let fingerprint = self.state.fingerprint();
        let words = fingerprint.map(|fingerprint| fingerprint.words());
        (!addresses.is_empty()).then_some(Lan { addresses, fingerprint, words })
    }

    /// Waits until somebody asks to stop. A coordinator that ends by itself is a failure.
    pub(crate) async fn until_asked_to_stop(&mut self) -> Result<(), Failure> {
        tokio::select! {
            () = self.signals.next() => Ok(()),
            ended = &mut self.serving => Err(outcome(ended).err().unwrap_or_else(|| {
                Failure::new(Exit::Fault, "the coordinator ended by itself")
            })),
        }
    }

    /// Lets open requests end. Asked once more, it ends at once.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let Self { mut signals, shutdown, serving, .. } = self;
        shutdown.cancel();
        signals.unless_next(async { outcome(serving.await) }).await
    }
}

fn outcome(ended: Result<Result<(), StartError>, tokio::task::JoinError>) -> Result<(), Failure> {
    ended.map_err(Failure::fault)?.map_err(Failure::fault)
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(in_use(listen).await),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::PermissionDenied => "ports below 1024 belong to the system: take another one with --listen",
                ErrorKind::AddrNotAvailable => {
                    "this machine does not have that address: name another one with --listen"
                }
                _ => "name another address with --listen",
            };
            Err(Failure::new(Exit::Fault, format!("{listen} cannot be listened on: {error}")).advise(advice))
        }
    }
}

async fn bind_tls(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| {
        let (exit, advice) = match error.kind() {
            ErrorKind::AddrInUse => {
                (Exit::Refused, format!("take another port: --lan {}:0 takes a free one", listen.ip()))
            }
            ErrorKind::AddrNotAvailable => {
                (Exit::Fault, "this machine does not have that address: name another one with --lan".to_owned())
            }
            _ => (Exit::Fault, "name another address with --lan".to_owned()),
        };
        Failure::new(exit, format!("{listen} cannot be listened on: {error}")).advise(advice)
    })
}

/// Says by whom a port is taken.
async fn in_use(listen: SocketAddr) -> Failure {
    let other_port = format!("take another one with --listen {}:0", listen.ip());
    let answer = match local_address(listen).and_then(|address| Ok(swarm_client::Coordinator::at(address)?)) {
        Ok(coordinator) => coordinator.signed_in("").status().await.err(),
        Err(_) => None,
    };
    match answer {
        Some(ClientError::Api(_)) => {
            Failure::new(Exit::Refused, format!("a coordinator is running at {listen} already"))
                .advise(format!("`garageswarm status` shows it; for a second one {other_port} --data-dir DIR"))
        }
        _ => Failure::new(Exit::Refused, format!("another program listens on {listen}"))
            .advise(format!("stop that program, or {other_port}")),
    }
}

/// The address by which this machine reaches what listens there.
fn local_address(listen: SocketAddr) -> Result<Address, Failure> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port())).parse().map_err(Failure::fault)
}

async fn open_stores(config: &ServerConfig) -> Result<Stores, Failure> {
    let holder = Holder::this_process(host_name(), config.server.listen.to_string());
    let database = config.database();
    Stores::open(&database, &OpenOptions::new(holder, config.blobs_dir())).await.map_err(|error| {
        let failure =
            Failure::new(Exit::Fault, format!("the store {database} cannot be opened: {}", with_causes(&error)));
        match error {
            StoreError::Locked { holder } => Failure::new(Exit::Refused, format!("{holder}, has this store already"))
                .advise("stop that one, or name another folder with --data-dir"),
            StoreError::NewerSchema { .. } => failure.advise("start the newer version of garageswarm that wrote it"),
            _ => failure,
        }
    })
}

/// What this machine calls itself.
pub(crate) fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "this machine".to_owned())
}

/// The name of who is logged in on this machine.
pub(crate) fn user_name() -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(named)
        .unwrap_or_else(|| "owner".to_owned())
        .chars()
        .take(64)
        .collect()
}

/// Opens the browser; where there is none the person has the link.
pub(crate) fn open_browser(link: &str) -> io::Result<()> {
    open::that_detached(link)
}
