//! One TLS configuration for requests and sockets, or one for each coordinator that is pinned.
//!
//! The trusted authorities are compiled in: a machine without a certificate folder (a bare container) reaches
//! the same coordinators as any other, and plain HTTP on loopback needs none of it.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use swarm_proto::Fingerprint;

use crate::pin::PinnedVerifier;

static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    provider();
    Arc::new(ClientConfig::builder().with_root_certificates(roots()).with_no_client_auth())
});

/// The configuration that trusts the usual authorities, made at the first call.
pub(crate) fn config() -> Arc<ClientConfig> {
    CONFIG.clone()
}

/// The configuration that trusts one certificate and what it signed.
pub(crate) fn pinned(pin: Fingerprint) -> Arc<ClientConfig> {
    with_verifier(Arc::new(PinnedVerifier::new(pin, &provider())))
}

pub(crate) fn with_verifier(verifier: Arc<dyn ServerCertVerifier>) -> Arc<ClientConfig> {
    provider();
    Arc::new(ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The authorities that vouch for names.
pub(crate) fn roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Our cryptography. Whoever was first in this process chose the default; ours is the same.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    ring::default_provider().install_default().ok();
    CryptoProvider::get_default().map_or_else(|| Arc::new(ring::default_provider()), Arc::clone)
}
