//! The proxy of a run: what stands between a tool and the provider that it asks with a key of ours.
//!
//! It listens on loopback for as long as the run lasts. The tool is told its address and a token that means nothing
//! anywhere else; the key stays in this process and is put in the token's place on the way out. Calls are counted and
//! bounded by the run's [`Meter`], and pass otherwise as they are. What cannot be counted does not pass: only
//! questions to models, and the few requests that cost nothing.

mod door;
mod forward;
mod read;
mod refuse;
mod splice;
mod watch;
mod weigh;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::door::Door;
use self::forward::Forward;
use crate::account::{Account, Provider};
use crate::http;
use crate::meter::Meter;

/// Stands in a plan for the address that the proxy has once it listens.
pub(crate) const ADDRESS: &str = "http://proxy.invalid";
/// Connections of one tool at once; further ones wait.
const MAX_CONNECTIONS: usize = 1024;
/// How long nobody is let in where the machine is short of something.
const SHORTAGE: Duration = Duration::from_millis(50);

/// Whom a program asks, and how it is told to ask the proxy instead.
#[derive(Debug, Clone)]
pub(crate) struct Metered {
    pub(crate) provider: &'static Provider,
    pub(crate) account: Account,
    /// The variable that holds the address; none where the arguments hold [`ADDRESS`].
    pub(crate) address_variable: Option<&'static str>,
    /// The variable that holds the key.
    pub(crate) token_variable: &'static str,
}

/// The proxy of one run. Dropping it closes its connections.
pub(crate) struct Proxy {
    port: u16,
    token: String,
    path: String,
    tasks: TaskTracker,
    stop: CancellationToken,
    _end: DropGuard,
}

impl Proxy {
    /// Listens on a free port of loopback.
    pub(crate) async fn start(metered: &Metered, meter: &Meter) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let token = door::token();
        let path = metered.account.base.path().trim_end_matches('/').to_owned();
        let client = http::kept_client(&metered.account.base).map_err(io::Error::other)?;
        let door = Door::new(token.clone());
        let forward = Arc::new(Forward::new(metered.account.clone(), metered.provider, meter.clone(), client, door));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(accept(listener, forward, tasks.clone(), stop.clone()));
        tasks.close();
        Ok(Self { port, token, path, tasks, _end: stop.clone().drop_guard(), stop })
    }

    /// Where it listens on 127.0.0.1: the one place that the run must be able to reach.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Tells a program to ask here, and takes every key of the provider's out of its environment.
    pub(crate) fn equip(&self, metered: &Metered, argv: &mut [String], env: &mut BTreeMap<String, String>) {
        for (name, _) in metered.provider.keys {
            env.remove(*name);
        }
        env.remove(metered.provider.address);
        let address = format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port);
        if let Some(variable) = metered.address_variable {
            env.insert(variable.to_owned(), format!("{address}{}", self.path));
        }
        env.insert(metered.token_variable.to_owned(), self.token.clone());
        for word in argv.iter_mut().filter(|word| word.contains(ADDRESS)) {
            *word = word.replace(ADDRESS, &format!("{address}{}", self.path));
        }
        // A way out of a company's network leads past this machine.
        for name in ["NO_PROXY", "no_proxy"] {
            let direct = env.entry(name.to_owned()).or_default();
            let between = if direct.is_empty() { "" } else { "," };
            *direct = format!("{direct}{between}{}", Ipv4Addr::LOCALHOST);
        }
    }

    /// Ends what is still going on. Every call is counted when this returns.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("port", &self.port).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, forward: Arc<Forward>, tasks: TaskTracker, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = serve(stream, Arc::clone(&forward));
                let stop = stop.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = served => {}
                        () = stop.cancelled() => {}
                    }
                    drop(place);
                });
            }
            // The machine is short of something, and whoever asked will ask again.
            Err(error) => {
                tracing::debug!(%error, "a connection to the proxy of a run was not taken");
                tokio::time::sleep(SHORTAGE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, forward: Arc<Forward>) {
    // The first byte of an answer is small, and waited for.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let forward = Arc::clone(&forward);
        async move { forward.answer(request).await }
    });
    // A tool may keep a connection for as long as it runs.
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the proxy of a run broke");
    }
}

#[cfg(test)]
mod tests;
