//! The socket of a worker: `hello` first, then frames both ways.
//!
//! The reader turns frames into commands and never waits for a commit; the writer sends what the dispatcher
//! puts into the outbox. When the dispatcher drops the outbox (a failed commit, a revoked credential, a newer
//! socket, silence) the socket closes, and the worker says hello again with what it has in hand.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use swarm_model::rights::Operation;
use swarm_model::worker::LeaseTerms;
use swarm_model::{SessionId, WorkerId};
use swarm_proto::worker::{Hello, LogReceipt, PROTOCOL, ToCoordinator, ToWorker};
use swarm_store::worker::{Seen, WorkerRecord};
use tokio::sync::mpsc;

use crate::api::workers::{self, profile_of};
use crate::auth::{Identity, Revocation};
use crate::error::ApiError;
use crate::extract::Path;
use crate::state::AppState;
use crate::ws::READ_BUFFER;

/// How long a worker may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of one message; a report of 64 full log lines and a large result fit.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Frames that may wait for a slow socket before it counts as dead.
const OUTBOX: usize = 1024;
/// How often the socket is probed, so that a dead path is noticed.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Opens the socket of a worker, which must show its own credential.
pub(crate) async fn worker_socket(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<WorkerId>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let (record, _) = workers::load(&state, &identity, Operation::ActAsWorker, id).await?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE).read_buffer_size(READ_BUFFER);
    let tracker = state.tracker.clone();
    // From here on, so that a credential that ends before the hello ends this socket too.
    let revoked = identity.revoked();
    Ok(upgrade.on_upgrade(move |socket| tracker.track_future(serve(state, record, revoked, socket))))
}

async fn serve(state: AppState, record: WorkerRecord, revoked: Revocation, socket: WebSocket) {
    let worker = record.worker_id;
    let (mut sink, mut stream) = socket.split();
    let first = tokio::time::timeout(HELLO_WITHIN, next_frame(&mut stream)).await;
    let Ok(Some(ToCoordinator::Hello(hello))) = first else {
        return close(sink, close_code::POLICY, "say hello first").await;
    };
    if hello.protocol != PROTOCOL {
        let said = format!("protocol {} is not spoken here, {PROTOCOL} is: update the older side", hello.protocol);
        return close(sink, close_code::POLICY, &said).await;
    }
    let session = state.new_id(SessionId::new);
    let (outbox, frames) = mpsc::channel(OUTBOX);
    match welcome(&state, record, hello, session, outbox).await {
        Ok(frame) => {
            if send(&mut sink, &frame).await.is_err() {
                state.dispatcher.leave(worker, session).await;
                return;
            }
        }
        Err(error) => {
            tracing::warn!(worker_id = %worker, error = %error.detail(), "a worker could not join");
            return close(sink, close_code::ERROR, "the coordinator cannot take you up now").await;
        }
    }
    tracing::info!(worker_id = %worker, session_id = %session, "worker connected");
    tokio::select! {
        () = read(&state, worker, session, &mut stream) => {}
        () = write(&mut sink, frames) => {}
        () = revoked.cancelled() => {}
        () = state.shutdown.cancelled() => {}
    }
    state.dispatcher.leave(worker, session).await;
    tracing::info!(worker_id = %worker, session_id = %session, "worker disconnected");
    close(sink, close_code::AWAY, "come back").await;
}

/// Takes a worker up, and says what it must know of the attempts in its hand.
async fn welcome(
    state: &AppState,
    record: WorkerRecord,
    hello: Hello,
    session: SessionId,
    outbox: mpsc::Sender<ToWorker>,
) -> Result<ToWorker, ApiError> {
    let worker_id = record.worker_id;
    let seen =
        Seen { worker_id, at: state.clock.now(), load: record.load, capabilities: Some(hello.capabilities.clone()) };
    state.stores.workers.save_seen(&[seen]).await?;
    let profile = profile_of(state, record, Some(hello.capabilities), hello.paused_by_owner, true).await?;
    let reply = state.dispatcher.join(profile, session, hello.attempts, Some(outbox)).await?;
    let receipt = |(attempt, received)| LogReceipt { attempt, received };
    Ok(ToWorker::Welcome {
        worker_id,
        terms: LeaseTerms::SOCKET,
        stale: reply.joined.stale,
        cancel: reply.joined.cancel,
        logs: reply.joined.held.into_iter().map(receipt).collect(),
        paused: reply.paused,
    })
}

/// The next frame; `None` when the socket is closed, torn or speaks nonsense.
async fn next_frame(stream: &mut SplitStream<WebSocket>) -> Option<ToCoordinator> {
    loop {
        let text = match stream.next().await?.ok()? {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Binary(_) | Message::Close(_) => return None,
        };
        match serde_json::from_str(&text) {
            Ok(frame) => return Some(frame),
            Err(error) => {
                tracing::warn!(%error, "a frame that cannot be read closes its socket");
                return None;
            }
        }
    }
}

async fn read(state: &AppState, worker: WorkerId, session: SessionId, stream: &mut SplitStream<WebSocket>) {
    while let Some(frame) = next_frame(stream).await {
        let dispatcher = &state.dispatcher;
        match frame {
            ToCoordinator::Heartbeat { load, running } => dispatcher.heartbeat_frame(worker, load, running).await,
            ToCoordinator::Report(report) => {
                if workers::check_report(&report).is_err() {
                    return;
                }
                // Read more slowly, and the worker sends more slowly: what it has to say stands in its journal.
                while let Some(pause) = state.quotas.log_pause(worker, &report) {
                    tokio::time::sleep(pause).await;
                }
                dispatcher.report_frame(worker, session, report).await;
            }
            ToCoordinator::Capabilities(capabilities) => dispatcher.set_capabilities(worker, capabilities).await,
            ToCoordinator::Pause | ToCoordinator::Resume => {
                let paused = matches!(frame, ToCoordinator::Pause);
                if dispatcher.set_pause(worker, true, paused).await.is_err() {
                    return;
                }
            }
            ToCoordinator::Drain => {
                if dispatcher.set_draining(worker, true).await.is_err() {
                    return;
                }
            }
            // A second hello would be another conversation; what is not known is from a newer worker.
            ToCoordinator::Hello(_) => return,
            ToCoordinator::Unknown => {}
        }
    }
}

async fn write(sink: &mut SplitSink<WebSocket, Message>, mut frames: mpsc::Receiver<ToWorker>) {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { return };
                if send(sink, &frame).await.is_err() {
                    return;
                }
            }
            _ = ping.tick() => {
                if sink.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn send(sink: &mut SplitSink<WebSocket, Message>, frame: &ToWorker) -> Result<(), axum::Error> {
    let text = serde_json::to_string(frame).map_err(axum::Error::new)?;
    sink.send(Message::text(text)).await
}

async fn close(mut sink: SplitSink<WebSocket, Message>, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.to_owned().into() };
    // The other side may be gone already.
    sink.send(Message::Close(Some(frame))).await.ok();
}
