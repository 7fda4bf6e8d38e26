//! Tickets for WebSockets: a browser cannot send a header when it opens one, and a token in an address would
//! stand in logs. So a ticket is given that works once and for 30 seconds. They live in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use swarm_model::Timestamp;
use swarm_store::TokenHash;

use super::Who;
use super::revocations::Held;
use super::secret::{self, Purpose};

const LIFE: Duration = Duration::from_secs(30);

/// Who was given a ticket, and with which credential.
pub(super) type Granted = (Who, Option<Held>);

#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<TokenHash, (Granted, Timestamp)>>);

impl Tickets {
    pub(super) fn issue(&self, granted: Granted, now: Timestamp) -> (String, Timestamp) {
        let issued = secret::issue(Purpose::Ticket);
        let expires_at = now + LIFE;
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, (_, end)| *end > now);
        tickets.insert(issued.hash, (granted, expires_at));
        (issued.secret, expires_at)
    }

    /// Whose it is, the first time and in time.
    pub(super) fn take(&self, hash: &TokenHash, now: Timestamp) -> Option<Granted> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
        taken.filter(|(_, end)| *end > now).map(|(granted, _)| granted)
    }

    pub(super) fn forget_ended(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, end)| *end > now);
    }
}
