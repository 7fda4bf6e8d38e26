//! The certificates of the TLS listener.
//!
//! Without certificates that were given it has an authority of its own, made once, and serves leaves that the
//! authority signs: for 90 days, renewed with a third of that left and whenever this machine's names or addresses
//! changed. Clients pin the authority, so a new leaf is nobody's business but ours. Given certificates are read
//! again when their files change. Neither needs a restart.

mod authority;
mod given;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use swarm_model::Timestamp;
use swarm_proto::Fingerprint;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::config::ServerConfig;
use crate::machine;
use crate::state::AppState;
use authority::Authority;
use given::Given;

/// How often certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const FOLDER: &str = "tls";

/// The certificates cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is out of reach.
    #[error("{path} cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no certificate and key in PEM: {problem}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// The cryptography refuses a certificate.
    #[error("the certificate cannot be served")]
    Serve(#[from] rustls::Error),
}

/// By what a served certificate says that this machine is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Known {
    /// As it is now. `names` are those that were configured besides.
    fn now(names: &[String]) -> Self {
        let mut all = machine::host_names();
        all.push("localhost".to_owned());
        all.extend_from_slice(names);
        all.sort();
        all.dedup();
        let mut addresses = machine::addresses();
        addresses.extend([IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
        Self { names: all, addresses }
    }
}

/// The certificates of the TLS listener.
#[derive(Debug)]
pub struct Certificates {
    source: Source,
    served: Arc<Served>,
}

#[derive(Debug)]
enum Source {
    Own { authority: Box<Authority>, names: Vec<String> },
    Given(Given),
}

impl Certificates {
    /// Reads or makes them; none where there is no TLS listener.
    pub(crate) fn open(config: &ServerConfig, now: Timestamp) -> Result<Option<Self>, TlsError> {
        let server = &config.server;
        if server.tls_listen.is_none() {
            return Ok(None);
        }
        let (source, first) = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => {
                let (given, first) = Given::read(cert.clone(), key.clone())?;
                (Source::Given(given), first)
            }
            _ => {
                let mut authority = Box::new(Authority::load_or_make(&config.storage.data_dir.join(FOLDER))?);
                let names = config_names(config);
                let first = authority.issue(Known::now(&names), now)?;
                (Source::Own { authority, names }, first)
            }
        };
        Ok(Some(Self { source, served: Arc::new(Served(RwLock::new(Arc::new(first)))) }))
    }

    /// What clients pin; none where the usual authorities vouch for the certificate.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.source {
            Source::Own { authority, .. } => Some(authority.fingerprint()),
            Source::Given(_) => None,
        }
    }

    /// How the listener speaks TLS.
    pub(crate) fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.served) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// What the background task keeps fresh.
    pub(crate) fn keeper(&self) -> Result<Keeper, TlsError> {
        let source = match &self.source {
            Source::Own { authority, names } => {
                Source::Own { authority: Box::new(authority.again()?), names: names.clone() }
            }
            Source::Given(given) => Source::Given(given.clone()),
        };
        Ok(Keeper { source, served: Arc::clone(&self.served) })
    }
}

/// Sees to it that what is served stays good.
#[derive(Debug)]
pub(crate) struct Keeper {
    source: Source,
    served: Arc<Served>,
}

impl Keeper {
    /// Looks once; tells whether something else is served now.
    fn look(&mut self, now: Timestamp) -> Result<bool, TlsError> {
        let fresh = match &mut self.source {
            Source::Own { authority, names } => authority.renewed(Known::now(names), now)?,
            Source::Given(given) => given.changed()?,
        };
        let is_new = fresh.is_some();
        if let Some(fresh) = fresh {
            *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        }
        Ok(is_new)
    }

    /// Looks now and then for as long as the coordinator lives.
    pub(crate) async fn keep(mut self, state: AppState) {
        let mut due = interval(LOOK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = state.shutdown.cancelled() => return,
                _ = due.tick() => {}
            }
            // Reads files and computes for a moment.
            let now = state.now();
            let looked = tokio::task::spawn_blocking(move || {
                let looked = self.look(now);
                (self, looked)
            });
            let Ok((keeper, looked)) = looked.await else { return };
            self = keeper;
            match looked {
                Ok(true) => tracing::info!("another certificate is served now"),
                Ok(false) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the certificate was not renewed; the earlier one stays");
                }
            }
        }
    }
}

/// The certificate that is served.
struct Served(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

/// The names that the settings give to this coordinator.
fn config_names(config: &ServerConfig) -> Vec<String> {
    let server = &config.server;
    let public = server.public_url.as_deref().and_then(|url| url.parse::<axum::http::Uri>().ok());
    let public = public.as_ref().and_then(|uri| uri.host()).map(str::to_owned);
    let allowed = server.allowed_hosts.iter().filter_map(|host| host.parse::<axum::http::uri::Authority>().ok());
    let allowed = allowed.map(|authority| authority.host().to_owned());
    public.into_iter().chain(allowed).filter(|name| name.parse::<IpAddr>().is_err() && !name.starts_with('[')).collect()
}

#[cfg(test)]
mod tests;
