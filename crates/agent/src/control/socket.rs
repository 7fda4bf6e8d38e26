//! The agent's end of the local socket: who it serves, and how many at once.
//!
//! A line that makes no sense is answered and costs its sender the line; one that is too long costs the
//! connection. Nothing that comes here ends the agent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::place::Listener;
use super::wire::{ControlReply, ControlRequest, MAX_REQUEST_BYTES, from_line, requests, to_line};
use super::{AgentControl as _, AgentHandle};

/// Connections at once. More than these are some program's mistake.
const MAX_CONNECTIONS: usize = 32;
/// How long a client may take to read a line.
const SEND_PATIENCE: Duration = Duration::from_secs(10);
/// After an error of the system, so that it does not come a million times.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens the socket, so that it is there before the agent speaks to anybody. Without it the agent works, and
/// cannot be steered from other processes.
pub(crate) fn open(data_dir: &Path) -> Option<Listener> {
    match Listener::bind(data_dir) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%error, "no local socket: `garageswarm worker status` and the like will not find this worker");
            None
        }
    }
}

/// Serves the socket until the agent is over.
pub(crate) async fn serve(mut listener: Listener, handle: AgentHandle, over: CancellationToken) {
    let (room, tasks) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), TaskTracker::new());
    let accept = async {
        loop {
            match listener.accept().await {
                Ok(Some(stream)) => {
                    let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                    let (handle, over) = (handle.clone(), over.clone());
                    tasks.spawn(async move {
                        over.run_until_cancelled(converse(stream, handle)).await;
                        drop(place);
                    });
                }
                Ok(None) => tracing::warn!("another account tried to reach the control socket"),
                Err(error) => {
                    tracing::warn!(%error, "the control socket");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    over.run_until_cancelled(accept).await;
    tasks.close();
    tasks.wait().await;
}

/// Answers one client until it goes, or says what cannot be passed over.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, handle: AgentHandle) {
    let mut lines = Framed::new(stream, requests());
    while let Some(line) = lines.next().await {
        let request = match line {
            Ok(line) => from_line::<ControlRequest>(&line),
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                let too_long = format!("a request has at most {MAX_REQUEST_BYTES} bytes");
                say(&mut lines, &ControlReply::refused(too_long)).await;
                return;
            }
            // It went away, or speaks no UTF-8.
            Err(LinesCodecError::Io(_)) => return,
        };
        let is_heard = match request {
            Ok(ControlRequest::Watch) => return watch(&mut lines, &handle).await,
            Ok(request) => match handle.ask(request).await {
                Ok(reply) => say(&mut lines, &reply).await,
                Err(error) => say(&mut lines, &ControlReply::refused(error.to_string())).await,
            },
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                say(&mut lines, &ControlReply::refused(format!("{error}{cause}"))).await
            }
        };
        if !is_heard {
            return;
        }
    }
}

/// Tells how the agent stands whenever that changes, and what happens, until the client says anything or goes.
async fn watch<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Framed<S, LinesCodec>, handle: &AgentHandle) {
    let (mut status, mut events) = (handle.watch(), handle.events());
    status.mark_changed();
    loop {
        let reply = tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(event) => ControlReply::Event { event },
                // The status that follows says how it came out.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
            changed = status.changed() => match changed {
                Ok(()) => ControlReply::Status { status: Box::new(status.borrow_and_update().clone()) },
                Err(_) => return,
            },
            _ = lines.next() => return,
        };
        if !say(lines, &reply).await {
            return;
        }
    }
}

/// Whether the client heard it.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Framed<S, LinesCodec>, reply: &ControlReply) -> bool {
    let Ok(line) = to_line(reply) else { return false };
    matches!(tokio::time::timeout(SEND_PATIENCE, lines.send(line)).await, Ok(Ok(())))
}
