//! One TLS configuration for requests and sockets.
//!
//! The trusted authorities are compiled in: a machine without a certificate folder (a bare container) reaches
//! the same coordinators as any other, and plain HTTP on loopback needs none of it.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};

static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    // Whoever was first in this process chose the cryptography; ours is the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
});

/// The configuration, made at the first call.
pub(crate) fn config() -> Arc<ClientConfig> {
    CONFIG.clone()
}
