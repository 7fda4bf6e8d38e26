//! Certificates that somebody else issues: two PEM files, read again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::TlsError;

/// The two files, and when they were last written.
#[derive(Debug, Clone)]
pub(super) struct Given {
    certificate: PathBuf,
    key: PathBuf,
    written: [Option<SystemTime>; 2],
}

impl Given {
    pub(super) fn read(certificate: PathBuf, key: PathBuf) -> Result<(Self, CertifiedKey), TlsError> {
        // Looked at before it is read: what is written in between is read once more.
        let written = [written(&certificate), written(&key)];
        let certified = certified(&certificate, &key)?;
        Ok((Self { certificate, key, written }, certified))
    }

    /// What the files hold now, where they were written since.
    pub(super) fn changed(&mut self) -> Result<Option<CertifiedKey>, TlsError> {
        if [written(&self.certificate), written(&self.key)] == self.written {
            return Ok(None);
        }
        let (given, certified) = Self::read(self.certificate.clone(), self.key.clone())?;
        *self = given;
        Ok(Some(certified))
    }
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn certified(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source });
    let damaged = |path: &Path, problem: String| TlsError::Damaged { path: path.to_owned(), problem };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(damaged(certificate, "there is no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| damaged(key, error.to_string()))?;
    let certified = CertifiedKey::new(chain, any_supported_type(&secret)?);
    certified.keys_match().map_err(|error| damaged(key, error.to_string()))?;
    Ok(certified)
}
