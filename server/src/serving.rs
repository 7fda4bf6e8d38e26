//! The sockets: accepting connections, their limits, and their end.
//!
//! One loop serves the plain listener and, where there is one, the TLS listener with the same router. Every
//! connection lives in a task of its own from its first byte on, so that a handshake or a header that never comes
//! holds up nobody else. Nothing waits without a bound: for a handshake, for a header, between two parts of a body.

mod slots;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutBody;

use crate::config::ServerConfig;
use slots::{Counted, Slots};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the header of a request may take, and how long a connection may idle between two of them.
const HEADER: Duration = Duration::from_secs(10);
/// How long a body may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How large a header may be; a larger one is answered with 431.
const HEADER_BYTES: usize = 32 << 10;
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 128;
/// How often an idle HTTP/2 connection is asked whether anybody is there, and how long the answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// How long to wait where the system cannot accept more, as without free file handles.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// Where a coordinator accepts connections.
#[derive(Debug)]
pub struct Listeners {
    /// Plain HTTP.
    pub plain: TcpListener,
    /// TLS, with a certificate of the coordinator's.
    pub tls: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(plain: TcpListener) -> Self {
        Self { plain, tls: None }
    }
}

/// What every connection is served with.
#[derive(Debug)]
pub(crate) struct Serving {
    router: Router,
    tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
    slots: Arc<Slots>,
    connections: TaskTracker,
    /// Answers that are under way may end, nothing new is begun.
    ending: CancellationToken,
    /// Everything ends.
    over: CancellationToken,
}

impl Serving {
    pub(crate) fn new(
        router: Router,
        tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
        config: &ServerConfig,
        ending: CancellationToken,
    ) -> Self {
        Self {
            router,
            tls,
            slots: Arc::new(Slots::new(&config.limits, config.server.trusted_proxies.clone())),
            connections: TaskTracker::new(),
            ending,
            over: CancellationToken::new(),
        }
    }

    /// Accepts connections until `ending`.
    pub(crate) async fn accept(&self, listeners: Listeners) {
        let Listeners { plain, tls } = listeners;
        let on_tls = async {
            match &tls {
                Some(tls) => self.accept_on(tls, self.tls.clone().map(TlsAcceptor::from)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.ending.cancelled() => {}
            () = self.accept_on(&plain, None) => {}
            () = on_tls => {}
        }
    }

    /// Waits for what is under way, at most for this long; then ends it. Returns whether all ended by itself.
    pub(crate) async fn drain(&self, patience: Duration) -> bool {
        self.connections.close();
        let in_time = tokio::time::timeout(patience, self.connections.wait()).await.is_ok();
        self.over.cancel();
        in_time
    }

    async fn accept_on(&self, listener: &TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.begin(stream, peer, tls.clone()),
                // Of one connection that is gone already.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) {
        let Some(slot) = self.slots.take(peer.ip()) else { return };
        // Small frames must not wait for more: latency counts here, not packets.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let stream = Counted::new(stream, slot);
        let (router, ending, over) = (self.router.clone(), self.ending.clone(), self.over.clone());
        self.connections.spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = serve(stream, peer, tls, router, ending) => {}
            }
        });
    }
}

/// Serves one connection to its end, or until it becomes a WebSocket.
async fn serve(stream: Counted, peer: SocketAddr, tls: Option<TlsAcceptor>, router: Router, ending: CancellationToken) {
    let Some(tls) = tls else { return speak_http1(stream, peer, router, ending).await };
    let stream = match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, %peer, "a handshake failed"),
        Err(_) => return tracing::debug!(%peer, "a handshake took too long"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        speak_http2(stream, peer, router, ending).await;
    } else {
        speak_http1(stream, peer, router, ending).await;
    }
}

async fn speak_http1<S>(stream: S, peer: SocketAddr, router: Router, ending: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = service_fn(move |request: hyper::Request<Incoming>| router.clone().oneshot(prepare(request, peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_header_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}

async fn speak_http2<S>(stream: S, peer: SocketAddr, router: Router, ending: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        router.clone().oneshot(prepare(request, peer))
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    // The library has no bound for the first request.
    let silent = async {
        tokio::time::sleep(HEADER).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = silent => return tracing::debug!(%peer, "a connection asked nothing"),
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}

/// The request as handlers want it: with who asks, and a body that may not be silent for long.
fn prepare(request: hyper::Request<Incoming>, peer: SocketAddr) -> Request {
    let mut request = request.map(|body| Body::new(TimeoutBody::new(SILENCE, body)));
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What counts as one asker.
fn network(ip: IpAddr) -> IpAddr {
    crate::extract::ClientAddress(ip.to_canonical()).network()
}
