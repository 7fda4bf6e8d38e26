//! A look at the certificate of a coordinator that nobody pinned yet, before anything is said to it.
//!
//! The handshake is broken off as soon as the certificate was seen, unless the usual authorities vouch for it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use swarm_proto::Fingerprint;

use crate::http::Http;
use crate::pin::fingerprint_of;
use crate::{Address, ClientError, tls};

/// What is known of a coordinator's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// The usual authorities vouch for it, or it is plain HTTP.
    Usual,
    /// Nobody does. This is the fingerprint to compare.
    Unknown(Fingerprint),
}

/// Looks at the certificate that is shown at an address. Sends nothing but the handshake to one that nobody
/// vouches for.
pub async fn glance(address: &Address) -> Result<Glance, ClientError> {
    if !address.is_https() {
        return Ok(Glance::Usual);
    }
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(tls::roots()), tls::provider())
        .build()
        .map_err(|error| ClientError::Unsendable(error.into()))?;
    let verifier = Arc::new(Looking { usual, seen: Mutex::new(None) });
    let http = Http::with_tls(address.clone(), tls::with_verifier(verifier.clone()), None)?;
    let answer = http.knock().await;
    let seen = *verifier.seen.lock().unwrap_or_else(PoisonError::into_inner);
    match (answer, seen) {
        (Ok(()), _) => Ok(Glance::Usual),
        (Err(ClientError::Untrusted { .. }), Some(seen)) => Ok(Glance::Unknown(seen)),
        (Err(error), _) => Err(error),
    }
}

/// Verifies as usual, and remembers what was refused.
#[derive(Debug)]
struct Looking {
    usual: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Fingerprint>>,
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verified.is_err() {
            // A coordinator shows its authority behind its leaf.
            let shown = fingerprint_of(intermediates.last().unwrap_or(end_entity));
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
