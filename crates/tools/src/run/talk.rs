//! A run that is a conversation: one future, which ends its connection when it is dropped.

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::outlet::Outlet;
use super::{PATIENCE_WITH_RECEIVER, Run, Stop};
use crate::adapter::{Conversation, EventSink};
use crate::event::ToolEvent;

/// Events between the conversation and the receiver.
const SLACK: usize = 64;

pub(super) async fn drive(
    conversation: Box<dyn Conversation>,
    run: &mut Run,
    outlet: &mut Outlet,
    cancel: &CancellationToken,
) {
    let (sink, mut said) = mpsc::channel(SLACK);
    let mut talk = conversation.hold(EventSink::new(sink));
    let (mut over, mut all_said) = (false, false);
    let meter = run.meter.clone();
    while run.stop.is_none() && !(over && all_said) {
        let blocked = outlet.is_blocked();
        let watchdog = run.watchdog(blocked);
        tokio::select! {
            () = cancel.cancelled() => run.stop(Stop::Cancelled),
            () = sleep_until(watchdog.map_or_else(Instant::now, |(at, _)| at)), if watchdog.is_some() => {
                if let Some((_, stop)) = watchdog {
                    run.stop(stop);
                }
            }
            () = outlet.advance(), if blocked => run.forgive_wait(),
            () = meter.changed() => {}
            event = said.recv(), if !blocked && !all_said => match event {
                Some(event) => hear(run, outlet, event),
                None => all_said = true,
            },
            end = &mut talk, if !over => {
                over = true;
                // What was said before the end is still in the channel and comes first.
                while let Ok(event) = said.try_recv() {
                    hear(run, outlet, event);
                }
                run.take(ToolEvent::Final(end), outlet);
            }
        }
        run.hear_meter(outlet);
    }
    // Closes the connection.
    drop(talk);
    while let Ok(event) = said.try_recv() {
        hear(run, outlet, event);
    }
    outlet.drain(run.stop.map(|_| PATIENCE_WITH_RECEIVER)).await;
    run.hear_meter(outlet);
    outlet.drain(run.stop.map(|_| PATIENCE_WITH_RECEIVER)).await;
}

fn hear(run: &mut Run, outlet: &mut Outlet, event: ToolEvent) {
    run.hear(event.text_bytes());
    run.take(event, outlet);
}
