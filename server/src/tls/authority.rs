//! The coordinator's own authority: one file with a key and a certificate, made once, and the leaves it signs.
//!
//! Leaves live in memory alone. The certificate of the authority is what clients pin, so it is never made again
//! while its file is there: a damaged file is an error and not a new authority.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use ring::digest::{SHA256, digest};
use swarm_model::Timestamp;
use swarm_proto::Fingerprint;
use time::OffsetDateTime;
use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::{Known, TlsError};

const FILE: &str = "authority.pem";
const DAY: Duration = Duration::from_hours(24);
/// How long a leaf is good.
const LEAF_LIFE: Duration = Duration::from_hours(90 * 24);
/// With how much left it is renewed.
const RENEW_WITH: Duration = Duration::from_hours(30 * 24);

/// The authority, and for whom and until when its latest leaf is.
#[derive(Debug)]
pub(super) struct Authority {
    path: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    latest: Option<(Known, Timestamp)>,
}

impl Authority {
    /// Reads the authority in this folder, or makes one at the first start.
    pub(super) fn load_or_make(folder: &Path) -> Result<Self, TlsError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::from_pem(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                let certificate = params()?.self_signed(&key)?;
                let text = format!("{}{}", key.serialize_pem(), certificate.pem());
                write_private(folder, &path, text.as_bytes())
                    .map_err(|source| TlsError::File { path: path.clone(), source })?;
                Self::from_pem(path, &text)
            }
            Err(source) => Err(TlsError::File { path, source }),
        }
    }

    fn from_pem(path: PathBuf, text: &str) -> Result<Self, TlsError> {
        let damaged = |problem: String| TlsError::Damaged { path: path.clone(), problem };
        let key = KeyPair::from_pem(text).map_err(|error| damaged(error.to_string()))?;
        let certificate =
            CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| damaged(error.to_string()))?;
        let issuer = Issuer::new(params()?, key);
        Ok(Self { path, certificate, issuer, latest: None })
    }

    /// The same, for a task of its own.
    pub(super) fn again(&self) -> Result<Self, TlsError> {
        let text =
            fs::read_to_string(&self.path).map_err(|source| TlsError::File { path: self.path.clone(), source })?;
        Ok(Self { latest: self.latest.clone(), ..Self::from_pem(self.path.clone(), &text)? })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &self.certificate).as_ref());
        Fingerprint::new(bytes)
    }

    /// A new leaf where the latest one is old, or for others than we are now.
    pub(super) fn renewed(&mut self, known: Known, now: Timestamp) -> Result<Option<CertifiedKey>, TlsError> {
        let is_good = self.latest.as_ref().is_some_and(|(of, end)| *of == known && now + RENEW_WITH < *end);
        if is_good { Ok(None) } else { self.issue(known, now).map(Some) }
    }

    /// A new leaf with a key of its own.
    pub(super) fn issue(&mut self, known: Known, now: Timestamp) -> Result<CertifiedKey, TlsError> {
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(known.names.clone())?;
        leaf.subject_alt_names.extend(known.addresses.iter().copied().map(SanType::IpAddress));
        leaf.distinguished_name.push(DnType::CommonName, "GarageSwarm coordinator");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        // Another machine's clock may be a little behind ours.
        leaf.not_before = date(now.minus(DAY));
        let end = now + LEAF_LIFE;
        leaf.not_after = date(end);
        let certificate = leaf.signed_by(&key, &self.issuer)?;
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let certified = CertifiedKey::new(chain, any_supported_type(&secret)?);
        self.latest = Some((known, end));
        Ok(certified)
    }
}

/// What every authority of ours says of itself: the same each time, so that leaves name their issuer rightly.
fn params() -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "GarageSwarm coordinator's own authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn date(at: Timestamp) -> OffsetDateTime {
    // A time that no calendar holds cannot come from a clock.
    OffsetDateTime::from_unix_timestamp(at.as_micros() / 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Writes a file that nobody else may read, whole or not at all.
fn write_private(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let beside = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
