//! Where events leave the run: bounded, in order, and never in the way of a cancel.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::event::ToolEvent;

/// Pieces of text that wait are put together up to about this size.
const MERGED_BYTES: usize = 4096;

/// Events on their way to the receiver. A receiver that is gone takes everything.
#[derive(Debug)]
pub(super) struct Outlet {
    events: mpsc::Sender<ToolEvent>,
    waiting: VecDeque<ToolEvent>,
}

impl Outlet {
    pub(super) fn new(events: mpsc::Sender<ToolEvent>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    /// Whether the receiver must take something before more may be read.
    pub(super) fn is_blocked(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Passes an event on, or puts it behind those that wait.
    pub(super) fn push(&mut self, event: ToolEvent) {
        match (self.waiting.back_mut(), &event) {
            (Some(ToolEvent::Text(last)), ToolEvent::Text(more))
            | (Some(ToolEvent::Thinking(last)), ToolEvent::Thinking(more))
                if last.len() < MERGED_BYTES =>
            {
                last.push_str(more);
            }
            _ => self.waiting.push_back(event),
        }
        self.pass_on();
    }

    fn pass_on(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Waits until the receiver has taken an event. May be dropped at any time without a loss.
    pub(super) async fn advance(&mut self) {
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            Err(_) => self.waiting.clear(),
        }
        self.pass_on();
    }

    /// Passes on what waits, for as long as `patience` lets the receiver take.
    pub(super) async fn drain(&mut self, patience: Option<Duration>) {
        let all = async {
            while self.is_blocked() {
                self.advance().await;
            }
        };
        match patience {
            Some(patience) => drop(tokio::time::timeout(patience, all).await),
            None => all.await,
        }
    }
}
