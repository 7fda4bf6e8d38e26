//! What cannot be beaten here and now: one small write with fsync, and one message there and back on a socket.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::sample::Samples;

/// The floor of a latency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

const ROUNDS: usize = 300;

/// Measures on the disk of `folder` and on loopback.
pub(crate) async fn measure(folder: &Path) -> Result<Floor> {
    let path = folder.join("floor");
    let mut disk = tokio::task::spawn_blocking(move || fsyncs(&path)).await??;
    let mut echo = echoes().await?;
    Ok(Floor { p50: disk.percentile(50) + echo.percentile(50), p99: disk.percentile(99) + echo.percentile(99) })
}

/// A page appended and synced, as a commit to a write-ahead log does.
fn fsyncs(path: &Path) -> Result<Samples> {
    let mut file = std::fs::File::create(path)?;
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        samples.push(started.elapsed());
    }
    Ok(samples)
}

async fn echoes() -> Result<Samples> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut socket = tokio_tungstenite::accept_async(stream).await?;
        while let Some(Ok(message)) = socket.next().await {
            if !message.is_text() || socket.send(message).await.is_err() {
                break;
            }
        }
        anyhow::Ok(())
    });
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await?;
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        socket.send(Message::text("x".repeat(400))).await?;
        socket.next().await.context("the echo went away")??;
        samples.push(started.elapsed());
    }
    socket.close(None).await?;
    server.await??;
    Ok(samples)
}
