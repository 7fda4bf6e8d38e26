//! TLS with a certificate of the coordinator's own: who pinned it comes in, and nobody stands in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::header;
use swarm_client::{Address, ClientError, Coordinator, Fingerprint, Glance, glance};
use swarm_model::BootId;
use swarm_model::time::SystemClock;
use swarm_proto::auth::ExchangeLink;
use swarm_proto::worker::{Hello, PROTOCOL, ToCoordinator, ToWorker};
use swarm_proto::workers::RegisterWorker;
use swarm_testkit::TestCoordinator;
use swarm_testkit::coordinator::capabilities;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

async fn with_tls() -> Result<TestCoordinator> {
    TestCoordinator::builder().with_user("ann").with_tls().build().await
}

fn machine(name: &str) -> RegisterWorker {
    RegisterWorker {
        machine_id: name.to_owned(),
        machine_name: name.to_owned(),
        capabilities: capabilities(1, &["demo"]),
    }
}

fn https(address: SocketAddr) -> Result<Address> {
    Ok(format!("https://{address}").parse()?)
}

#[tokio::test]
async fn a_pinned_client_works_over_http_and_websocket() -> Result<()> {
    let test = with_tls().await?;
    let remote = test.pinned()?;
    let ann = remote.signed_in(test.user("ann").token.clone());
    assert_eq!(ann.me().await?.username, "ann");
    ann.watch(test.user("ann").user_id).await?;

    let key = test.state().create_local_worker_key(test.user("ann").user_id).await?;
    let (worker, _) = remote.enrol(&key, &machine("attic")).await?;
    let mut socket = worker.connect().await?;
    let hello = Hello {
        protocol: PROTOCOL,
        boot_id: BootId::generate(&SystemClock),
        capabilities: capabilities(1, &["demo"]),
        paused_by_owner: false,
        attempts: Vec::new(),
    };
    socket.send(&ToCoordinator::Hello(hello)).await?;
    assert!(matches!(socket.next().await?, ToWorker::Welcome { .. }));
    test.finish().await
}

#[tokio::test]
async fn who_did_not_pin_it_trusts_nothing_and_may_look() -> Result<()> {
    let test = with_tls().await?;
    let address = https(test.tls_address()?)?;
    let error = Coordinator::at(address.clone())?.signed_in("token").me().await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted { .. }), "{error}");
    let fingerprint = test.state().fingerprint().context("a certificate of its own")?;
    assert_eq!(glance(&address).await?, Glance::Unknown(fingerprint));
    assert_eq!(glance(test.remote()?.address()).await?, Glance::Usual);
    test.finish().await
}

#[tokio::test]
async fn another_pin_is_refused_before_anything_is_sent() -> Result<()> {
    let test = with_tls().await?;
    let wrong = Coordinator::pinned(https(test.tls_address()?)?, Fingerprint::new([9; 32]))?;
    let key = test.state().create_local_worker_key(test.user("ann").user_id).await?;
    let error = wrong.enrol(&key, &machine("attic")).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherCertificate { .. }), "{error}");
    assert!(error.to_string().contains("somebody may be in between, or the coordinator was set up anew"), "{error}");
    let socket = wrong.signed_in(test.user("ann").token.clone()).watch(test.user("ann").user_id).await.unwrap_err();
    assert!(matches!(socket, ClientError::OtherCertificate { .. }), "{socket}");
    // The code was not used up: it was never seen.
    test.pinned()?.enrol(&key, &machine("attic")).await?;
    test.finish().await
}

#[tokio::test]
async fn a_pin_is_not_for_plain_http() -> Result<()> {
    let test = with_tls().await?;
    let error = Coordinator::pinned(test.url().parse()?, Fingerprint::new([9; 32])).unwrap_err();
    assert!(matches!(error, ClientError::PinnedInPlain { .. }), "{error}");
    test.finish().await
}

#[tokio::test]
async fn set_up_anew_it_is_another_one() -> Result<()> {
    let (before, anew) = (with_tls().await?, with_tls().await?);
    let pin = before.state().fingerprint().context("a certificate of its own")?;
    let remembered = Coordinator::pinned(https(anew.tls_address()?)?, pin)?;
    let error = remembered.signed_in("token").me().await.unwrap_err();
    assert!(matches!(error, ClientError::OtherCertificate { .. }), "{error}");
    before.finish().await?;
    anew.finish().await
}

/// Listens with this chain and key. Gives what it read after the handshakes of `n` connections.
async fn in_between(
    chain: Vec<CertificateDer<'static>>,
    key: &rcgen::KeyPair,
    n: usize,
) -> Result<(Address, JoinHandle<Vec<u8>>)> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = https(listener.local_addr()?)?;
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        for _ in 0..n {
            let Ok((stream, _)) = listener.accept().await else { break };
            if let Ok(mut stream) = acceptor.accept(stream).await {
                // An end without a goodbye is an end too.
                drop(stream.read_to_end(&mut heard).await);
            }
        }
        heard
    });
    Ok((address, heard))
}

#[tokio::test]
async fn who_stands_in_between_gets_no_byte() -> Result<()> {
    let test = with_tls().await?;
    let pin = test.state().fingerprint().context("a certificate of its own")?;
    let authority = test.state().config.storage.data_dir.join("tls/authority.pem");
    let real = CertificateDer::from_pem_slice(&std::fs::read(authority)?)?;

    let own_key = rcgen::KeyPair::generate()?;
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&own_key)?;
    // Under a certificate of their own; and with the real one copied behind it, which did not sign it.
    let chains = [vec![own.der().clone()], vec![own.der().clone(), real.clone()], vec![real]];
    let key = test.state().create_local_worker_key(test.user("ann").user_id).await?;
    for (index, chain) in chains.into_iter().enumerate() {
        // The third one has the certificate and not its key: nothing can be made of it.
        let Ok((address, heard)) = in_between(chain, &own_key, 2).await else {
            assert_eq!(index, 2);
            continue;
        };
        let remote = Coordinator::pinned(address, pin)?;
        let enrolled = remote.enrol(&key, &machine("attic")).await.unwrap_err();
        let watched = remote.signed_in("token").watch(test.user("ann").user_id).await.unwrap_err();
        for error in [enrolled, watched] {
            assert!(
                matches!(error, ClientError::OtherCertificate { .. } | ClientError::Untrusted { .. }),
                "{index}: {error}"
            );
        }
        let heard = tokio::time::timeout(Duration::from_secs(20), heard).await??;
        assert!(heard.is_empty(), "{index}: {:?}", String::from_utf8_lossy(&heard));
    }
    test.pinned()?.enrol(&key, &machine("attic")).await?;
    test.finish().await
}

#[tokio::test]
async fn cookies_over_tls_travel_over_tls_alone() -> Result<()> {
    let test = with_tls().await?;
    let exchange = async |host: String| -> Result<String> {
        let link = test.state().create_sign_in_link(test.user("ann").user_id).await?;
        let token = link.split_once('#').context("a token")?.1.to_owned();
        let body = ExchangeLink { token, kind: swarm_proto::auth::SessionKind::Browser };
        let answer = test.post("/api/v1/auth/link").header(header::HOST, &host).json(&body).send().await;
        answer.ok();
        Ok(answer.header(&header::SET_COOKIE).to_owned())
    };
    assert!(exchange(test.tls_address()?.to_string()).await?.contains("; Secure"));
    assert!(!exchange(test.address().to_string()).await?.contains("; Secure"));
    test.finish().await
}

#[tokio::test]
async fn names_of_the_tls_listener_are_not_names_of_the_plain_one() -> Result<()> {
    let test = with_tls().await?;
    let token = &test.user("ann").token;
    let tls = test.tls_address()?.port();
    let ask = |host: String| test.get("/api/v1/auth/me").header(header::HOST, &host).bearer(token).send();
    ask(format!("192.168.1.5:{tls}")).await.ok();
    for foreign in [format!("192.168.1.5:{}", test.address().port()), format!("evil.example:{tls}")] {
        assert_eq!(ask(foreign.clone()).await.code(), swarm_proto::ErrorCode::ForeignOrigin, "{foreign}");
    }
    test.finish().await
}
