//! The connection to the coordinator: opened again and again, until it is refused for good.
//!
//! It moves frames and understands none. Going and coming frames travel side by side, so that a coordinator
//! that reads slowly still gets its cancel through. A connection without a welcome counts as a failed try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use swarm_client::{Address, ClientError, SocketReceiver, SocketSender, WorkerClient};
use swarm_model::crash;
use swarm_proto::ErrorCode;
use swarm_proto::worker::{ToCoordinator, ToWorker};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Frames that are on their way to the socket. Few, because what waits here is already decided.
const OUTBOX: usize = 4;
/// How long the coordinator may take to take a frame.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// How long saying goodbye may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// The first and the longest pause between two tries; each is lengthened by up to its own length by chance.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What happens to the connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// It is open: say hello. Dropping the sender closes it.
    Opened(mpsc::Sender<ToCoordinator>),
    /// The coordinator spoke.
    Frame(Box<ToWorker>),
    /// It is gone, or did not come about. Another try follows.
    Down(ClientError),
    /// It will never come about.
    Refused(ClientError),
}

/// Keeps a connection open until `stop`, or until nobody listens.
pub(crate) async fn keep(client: WorkerClient, events: mpsc::Sender<LinkEvent>, stop: CancellationToken) {
    let mut pauses = pauses();
    while !stop.is_cancelled() {
        let connected = tokio::select! {
            connected = client.connect() => connected,
            () = stop.cancelled() => return,
        };
        let error = match connected {
            Ok(socket) => {
                let (sender, receiver) = socket.split();
                let (outbox, frames) = mpsc::channel(OUTBOX);
                if events.send(LinkEvent::Opened(outbox)).await.is_err() {
                    return;
                }
                let mut welcomed = false;
                let ended = tokio::select! {
                    error = receive(receiver, &events, &mut welcomed) => error,
                    ended = send(sender, frames, client.address()) => ended,
                };
                if welcomed {
                    pauses = self::pauses();
                }
                ended
            }
            Err(error) => Some(error),
        };
        // Closed by the agent itself: because it stops, or because the coordinator was silent for too long.
        let Some(error) = error else { continue };
        let refused = is_final(&error);
        let event = if refused { LinkEvent::Refused(error) } else { LinkEvent::Down(error) };
        if events.send(event).await.is_err() || refused {
            return;
        }
        let pause = pauses.next().unwrap_or(PAUSES.1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .without_max_times()
        .with_jitter()
        .build()
}

/// Passes on what the coordinator says; returns why it ended.
async fn receive(
    mut receiver: SocketReceiver<ToWorker>,
    events: &mpsc::Sender<LinkEvent>,
    welcomed: &mut bool,
) -> Option<ClientError> {
    loop {
        match receiver.next().await {
            Ok(frame) => {
                *welcomed |= matches!(frame, ToWorker::Welcome { .. });
                if events.send(LinkEvent::Frame(Box::new(frame))).await.is_err() {
                    return None;
                }
            }
            Err(error) => return Some(error),
        }
    }
}

/// Sends what the agent says; returns without an error once it says no more.
async fn send(
    mut sender: SocketSender<ToCoordinator>,
    mut frames: mpsc::Receiver<ToCoordinator>,
    address: &Address,
) -> Option<ClientError> {
    while let Some(frame) = frames.recv().await {
        let told = Told::of(&frame);
        told.pass(["agent.accept.sending", "agent.lines.sending", "agent.result.sending"]);
        match tokio::time::timeout(SEND_PATIENCE, sender.send(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Some(error),
            Err(_) => return Some(ClientError::Timeout { address: address.clone() }),
        }
        told.pass(["agent.accept.sent", "agent.lines.sent", "agent.result.sent"]);
        if matches!(frame, ToCoordinator::Hello(_)) {
            crash::point("agent.hello.sent");
        }
    }
    // The other side sees the end in any case.
    drop(tokio::time::timeout(CLOSE_PATIENCE, sender.close()).await);
    None
}

/// What a frame tells that must survive a crash.
struct Told([bool; 3]);

impl Told {
    fn of(frame: &ToCoordinator) -> Self {
        match frame {
            ToCoordinator::Report(report) => {
                Self([!report.accepted.is_empty(), !report.logs.is_empty(), !report.results.is_empty()])
            }
            _ => Self([false; 3]),
        }
    }

    fn pass(&self, points: [&'static str; 3]) {
        for (tells, point) in self.0.iter().zip(points) {
            if *tells {
                crash::point(point);
            }
        }
    }
}

/// Whether trying again changes nothing: the credential was refused, or another protocol is spoken.
///
/// Everything else may pass: a proxy in between, a coordinator that is being replaced, a clock that is wrong.
fn is_final(error: &ClientError) -> bool {
    error.is_unauthenticated()
        || matches!(error.code(), Some(ErrorCode::Forbidden | ErrorCode::NotFound | ErrorCode::UnsupportedProtocol))
}
