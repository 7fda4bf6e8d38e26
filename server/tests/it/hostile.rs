//! Connections that flood, stall and drip: they end by themselves, and nobody else waits for them.
//!
//! Time is moved while they are open. Each test is a runtime of one thread, whose clock may be set forward.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use swarm_testkit::TestCoordinator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

async fn with_tls() -> Result<TestCoordinator> {
    TestCoordinator::builder().with_user("ann").with_tls().build().await
}

/// A connection on which this was said.
async fn say(address: SocketAddr, text: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    Ok(stream)
}

/// All that comes until the other side ends it. An end without a goodbye is an end too.
async fn until_its_end(mut stream: TcpStream) -> Result<String> {
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    drop(ended.context("the connection stays open")?);
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

async fn others_are_served(test: &TestCoordinator) -> Result<()> {
    // On connections of their own: an idle one may end in the very moment in which it is used again.
    test.remote()?.signed_in(test.user("ann").token.clone()).me().await?;
    let over_tls = test.pinned()?.signed_in(test.user("ann").token.clone());
    tokio::time::timeout(PATIENCE, over_tls.me()).await??;
    Ok(())
}

/// Sets this runtime's clock forward.
async fn wait(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() -> Result<()> {
    let test = with_tls().await?;
    let host = format!("Host: {}\r\n", test.address());
    let many = "X: y\r\n".repeat(200);
    let long = format!("X: {}\r\n", "y".repeat(40 << 10));
    for flood in [many, long] {
        let stream = say(test.address(), &format!("GET /health HTTP/1.1\r\n{host}{flood}\r\n")).await?;
        let heard = until_its_end(stream).await?;
        assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    }
    others_are_served(&test).await?;
    test.finish().await
}

#[tokio::test]
async fn headers_that_never_end_are_cut_off() -> Result<()> {
    let test = with_tls().await?;
    let silent = say(test.address(), "").await?;
    let slow = say(test.address(), "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ").await?;
    others_are_served(&test).await?;
    wait(Duration::from_secs(11)).await;
    for stream in [silent, slow] {
        let heard = until_its_end(stream).await?;
        assert!(!heard.contains("200"), "{heard}");
    }
    test.finish().await
}

#[tokio::test]
async fn a_stalled_handshake_holds_up_nobody_and_ends() -> Result<()> {
    let test = with_tls().await?;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(say(test.tls_address()?, "\u{16}\u{3}\u{1}").await?);
    }
    others_are_served(&test).await?;
    wait(Duration::from_secs(11)).await;
    for stream in stalled {
        assert_eq!(until_its_end(stream).await?, "");
    }
    test.finish().await
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_nothing() -> Result<()> {
    let test = with_tls().await?;
    let stream = say(test.tls_address()?, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await?;
    assert!(!until_its_end(stream).await?.contains("HTTP/1.1 200"));
    test.finish().await
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() -> Result<()> {
    let test = with_tls().await?;
    let begun = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"user",
        test.address()
    );
    let mut slow = say(test.address(), &begun).await?;
    others_are_served(&test).await?;
    // Slow is not silent: every part starts the time anew.
    wait(Duration::from_secs(25)).await;
    slow.write_all(b"name").await?;
    others_are_served(&test).await?;
    wait(Duration::from_secs(25)).await;
    slow.write_all(b"\":").await?;
    others_are_served(&test).await?;
    wait(Duration::from_secs(31)).await;
    let heard = until_its_end(slow).await?;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    test.finish().await
}
