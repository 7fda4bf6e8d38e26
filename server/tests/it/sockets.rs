//! Viewers' sockets: who opens them, and when they end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::Method;
use swarm_proto::auth::Ticket;
use swarm_proto::keys::{CreateKey, CreatedKey, KeyKind};
use swarm_testkit::TestCoordinator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for a socket as a browser does, and gives the status with the open connection.
async fn open(coordinator: &TestCoordinator, query: &str, bearer: Option<&str>) -> Result<(u16, TcpStream)> {
    let user = coordinator.user("ann").user_id;
    let proof = bearer.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /api/v1/ws/client/{user}{query} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{proof}\r\n",
        coordinator.address()
    );
    let mut stream = TcpStream::connect(coordinator.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(timeout(PATIENCE, stream.read_u8()).await??);
    }
    let status = String::from_utf8(line)?.split(' ').nth(1).context("a status line")?.parse()?;
    Ok((status, stream))
}

async fn ticket(coordinator: &TestCoordinator) -> String {
    let answer = coordinator.post("/api/v1/auth/ticket").bearer(&coordinator.user("ann").token).send().await;
    format!("?ticket={}", answer.json::<Ticket>().ticket)
}

#[tokio::test]
async fn a_ticket_opens_one_socket() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let ticket = ticket(&coordinator).await;
    let (status, _open) = open(&coordinator, &ticket, None).await?;
    assert_eq!(status, 101);
    assert_eq!(open(&coordinator, &ticket, None).await?.0, 401);
    assert_eq!(open(&coordinator, "", None).await?.0, 401);
    coordinator.finish().await
}

#[tokio::test]
async fn a_ticket_lives_thirty_seconds() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let ticket = ticket(&coordinator).await;
    coordinator.clock().advance(Duration::from_secs(30));
    assert_eq!(open(&coordinator, &ticket, None).await?.0, 401);
    coordinator.finish().await
}

#[tokio::test]
async fn a_socket_ends_with_the_key_that_opened_it() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let token = &coordinator.user("ann").token;
    let body = CreateKey { kind: KeyKind::Api, name: "watcher".to_owned(), uses: None, hours: None, scopes: None };
    let key: CreatedKey = coordinator.post("/api/v1/keys").bearer(token).json(&body).send().await.json();
    let (status, mut socket) = open(&coordinator, "", Some(&key.secret)).await?;
    assert_eq!(status, 101);
    let revoke = format!("/api/v1/keys/{}", key.key.key_id);
    coordinator.request(Method::DELETE, &revoke).bearer(token).send().await.ok();
    let mut rest = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut rest)).await.context("the socket stays open")??;
    coordinator.finish().await
}
