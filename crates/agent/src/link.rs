//! The connection to the coordinator: opened again and again, until it is refused for good.
//!
//! It moves frames and understands none. Going and coming frames travel side by side, so that a coordinator
//! that reads slowly still gets its cancel through. A connection without a welcome counts as a failed try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use swarm_client::{Address, ClientError, SocketReceiver, SocketSender, WorkerClient, WorkerSocket};
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
/// After how many tries in vain, and again each time, the coordinator is looked for on the local network.
const LOOK_AROUND_EVERY: u32 = 3;
/// How long answers are waited for then.
const LISTEN_FOR: Duration = Duration::from_secs(3);
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
    /// The coordinator was found at another address.
    Moved(Address),
    /// It will never come about.
    Refused(ClientError),
}

/// Keeps a connection open until `stop`, or until nobody listens.
pub(crate) async fn keep(client: WorkerClient, events: mpsc::Sender<LinkEvent>, stop: CancellationToken) {
    let mut pauses = pauses();
    let mut n_failed = 0_u32;
    while !stop.is_cancelled() {
        let connected = tokio::select! {
            connected = connect(&client, n_failed) => connected,
            () = stop.cancelled() => return,
        };
        let error = match connected {
            Ok((socket, moved)) => {
                if let Some(address) = moved
                    && events.send(LinkEvent::Moved(address)).await.is_err()
                {
                    return;
                }
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
                n_failed += 1;
                if welcomed {
                    n_failed = 0;
                    pauses = self::pauses();
                }
                ended
            }
            Err(error) => {
                n_failed += 1;
                Some(error)
            }
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

/// Opens the socket where the coordinator was last. After some tries in vain it may have moved, as laptops do: then
/// the local network is asked who has its certificate, and every answer is tried with the pin.
async fn connect(client: &WorkerClient, n_failed: u32) -> Result<(WorkerSocket, Option<Address>), ClientError> {
    let error = match client.connect().await {
        Ok(socket) => return Ok((socket, None)),
        Err(error) => error,
    };
    // Where not even a refusal comes back, a try takes long enough.
    let is_silent = matches!(error, ClientError::Timeout { .. });
    let looks_around = error.is_unreachable() && (is_silent || (n_failed + 1).is_multiple_of(LOOK_AROUND_EVERY));
    let Some(pin) = client.pin().filter(|_| looks_around) else { return Err(error) };
    let heard = swarm_client::find(pin, LISTEN_FOR).await.unwrap_or_else(|error| {
        tracing::debug!(error = &error as &dyn std::error::Error, "the coordinator cannot be looked for");
        Vec::new()
    });
    for address in heard.into_iter().filter(|address| *address != client.address()) {
        let Ok(found) = client.elsewhere(address.clone()) else { continue };
        if let Ok(socket) = found.connect().await {
            tracing::info!(%address, "the coordinator was found at another address");
            client.follow(&found);
            return Ok((socket, Some(address)));
        }
    }
    Err(error)
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
    address: Address,
) -> Option<ClientError> {
    while let Some(frame) = frames.recv().await {
        let told = Told::of(&frame);
        told.pass(["agent.accept.sending", "agent.lines.sending", "agent.result.sending"]);
        match tokio::time::timeout(SEND_PATIENCE, sender.send(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Some(error),
            Err(_) => return Some(ClientError::Timeout { address }),
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
