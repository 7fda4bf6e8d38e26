use std::fs;
use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

fn days(n: u64) -> Duration {
    Duration::from_hours(24 * n)
}

fn known(names: &[&str], addresses: &[&str]) -> Known {
    Known {
        names: names.iter().map(ToString::to_string).collect(),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    }
}

/// Whether whoever trusts the authority accepts this for a name at a time.
fn is_good(certified: &CertifiedKey, name: &str, at: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert[1].clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(at.as_micros()).unwrap()));
    verifier.verify_server_cert(&certified.cert[0], &[], &name, &[], at).is_ok()
}

#[test]
fn the_authority_is_made_once_and_nobody_else_reads_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data/tls");
    let first = Authority::load_or_make(&inner).unwrap().fingerprint();
    assert_eq!(Authority::load_or_make(&inner).unwrap().fingerprint(), first);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join("authority.pem"))), (0o700, 0o600));
    }
    fs::write(inner.join("authority.pem"), "nothing").unwrap();
    assert!(matches!(Authority::load_or_make(&inner), Err(TlsError::Damaged { .. })), "it is not made anew");
}

#[test]
fn a_leaf_is_good_for_90_days_and_renewed_with_a_third_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = Authority::load_or_make(folder.path()).unwrap();
    let here = known(&["localhost", "attic.local"], &["192.168.1.5"]);
    let leaf = authority.issue(here.clone(), NOW).unwrap();
    for name in ["localhost", "attic.local", "192.168.1.5"] {
        assert!(is_good(&leaf, name, NOW), "{name}");
    }
    assert!(!is_good(&leaf, "evil.example", NOW));
    assert!(is_good(&leaf, "localhost", NOW + days(89)) && !is_good(&leaf, "localhost", NOW + days(91)));

    assert!(authority.renewed(here.clone(), NOW + days(59)).unwrap().is_none());
    let renewed = authority.renewed(here.clone(), NOW + days(60)).unwrap().unwrap();
    assert!(is_good(&renewed, "localhost", NOW + days(149)));
    assert_ne!(renewed.cert[0], leaf.cert[0]);
    assert_eq!(renewed.cert[1], leaf.cert[1], "the authority, which is pinned, stays");
    assert!(authority.renewed(here, NOW + days(61)).unwrap().is_none());
}

#[test]
fn another_address_is_another_leaf() {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = Authority::load_or_make(folder.path()).unwrap();
    authority.issue(known(&["localhost"], &["192.168.1.5"]), NOW).unwrap();
    let moved = authority.renewed(known(&["localhost"], &["10.0.0.5"]), NOW).unwrap().unwrap();
    assert!(is_good(&moved, "10.0.0.5", NOW) && !is_good(&moved, "192.168.1.5", NOW));
}

/// A certificate and its key, as somebody else would give them.
fn given(folder: &Path) -> (PathBuf, PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["swarm.example.org".to_owned()]).unwrap();
    let paths = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&paths.0, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}

fn config(folder: &Path) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.storage.data_dir = folder.to_owned();
    config.server.tls_listen = Some(([0, 0, 0, 0], 8421).into());
    config
}

#[test]
fn without_a_listener_there_is_nothing_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.server.tls_listen = None;
    assert!(Certificates::open(&config, NOW).unwrap().is_none());
    assert!(!folder.path().join(FOLDER).exists());
}

#[test]
fn a_renewed_leaf_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::open(&config(folder.path()), NOW).unwrap().unwrap();
    let served = || certificates.served.0.read().unwrap().cert[0].clone();
    let first = served();
    let mut keeper = certificates.keeper().unwrap();
    assert!(!keeper.look(NOW + days(1)).unwrap());
    assert_eq!(served(), first);
    assert!(keeper.look(NOW + days(70)).unwrap());
    assert_ne!(served(), first);
}

#[test]
fn given_certificates_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = given(folder.path());
    let mut config = config(folder.path());
    (config.server.tls_cert, config.server.tls_key) = (Some(cert.clone()), Some(key.clone()));
    let certificates = Certificates::open(&config, NOW).unwrap().unwrap();
    assert_eq!(certificates.fingerprint(), None, "the usual authorities vouch for it");
    let first = certificates.served.0.read().unwrap().cert[0].clone();
    let mut keeper = certificates.keeper().unwrap();
    assert!(!keeper.look(NOW).unwrap());

    given(folder.path());
    let later = std::time::UNIX_EPOCH + days(30_000);
    fs::File::options().write(true).open(&cert).unwrap().set_modified(later).unwrap();
    assert!(keeper.look(NOW).unwrap());
    assert_ne!(certificates.served.0.read().unwrap().cert[0], first);

    // Half of a change, or nonsense, leaves what is served.
    fs::write(&key, "nothing").unwrap();
    fs::File::options().write(true).open(&key).unwrap().set_modified(later).unwrap();
    assert!(matches!(keeper.look(NOW), Err(TlsError::Damaged { .. })));
}
