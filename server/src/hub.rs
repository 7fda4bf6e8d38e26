//! Tells those who wait that something was committed.
//!
//! The database stays the only truth: a reader that missed a notice reads what it lacks by number. So notices
//! are small, may be dropped, and cost nothing while nobody listens.

use std::sync::Arc;

use swarm_model::TaskNumber;
use swarm_model::change::EventRecord;
use tokio::sync::broadcast;

/// What one commit brought.
#[derive(Debug, Default)]
pub struct Notice {
    /// What happened, in order.
    pub events: Vec<EventRecord>,
    /// Tasks whose log grew.
    pub logged: Vec<TaskNumber>,
}

impl Notice {
    /// Whether it is about this task.
    pub fn concerns(&self, number: TaskNumber) -> bool {
        self.logged.contains(&number) || self.events.iter().any(|event| event.number == Some(number))
    }
}

/// Where notices are sent and heard.
#[derive(Debug, Clone)]
pub struct Hub {
    notices: broadcast::Sender<Arc<Notice>>,
}

/// How many notices a slow listener may lag behind before it must read from the store.
const BACKLOG: usize = 1024;

impl Default for Hub {
    fn default() -> Self {
        Self { notices: broadcast::Sender::new(BACKLOG) }
    }
}

impl Hub {
    /// Whether anybody listens.
    pub fn has_listeners(&self) -> bool {
        self.notices.receiver_count() > 0
    }

    /// Tells everyone who listens.
    pub fn publish(&self, notice: Notice) {
        // Nobody listening is no error.
        self.notices.send(Arc::new(notice)).ok();
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }
}
