//! The conversation of a viewer and the coordinator: frames of `/ws/client/{user_id}`.
//!
//! A viewer names the last event it knows and gets everything after it, then what happens, in the order of
//! commits. Log lines of a task come only after `follow`.

use serde::{Deserialize, Serialize};
use swarm_model::change::EventRecord;
use swarm_model::log::LogEntry;
use swarm_model::{EventId, TaskId, TaskRef};

use crate::tasks::Task;
use crate::workers::Worker;

/// What a viewer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromViewer {
    /// First of all: where to go on. Without `after`, from now on.
    Subscribe {
        /// The last event the viewer knows.
        #[serde(default)]
        after: Option<EventId>,
    },
    /// Send the log of this task from a number on, and what follows.
    Follow {
        /// Which task, by id or number.
        task: String,
        /// The last entry the viewer knows.
        #[serde(default)]
        after: u64,
    },
    /// Send no more of that log.
    Unfollow {
        /// Which task, by id or number.
        task: String,
    },
    /// From a newer viewer; ignored.
    #[serde(other)]
    Unknown,
}

/// What the coordinator says to a viewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToViewer {
    /// The subscription stands; this is the newest event now.
    Subscribed {
        /// The newest event.
        cursor: EventId,
    },
    /// Something happened, with the thing as it is now where the viewer may see it.
    Event {
        /// What happened.
        event: EventRecord,
        /// The task as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<Box<Task>>,
        /// The worker as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<Box<Worker>>,
    },
    /// Entries of a followed log, in order and without gaps.
    Log {
        /// Which task.
        task_id: TaskId,
        /// The entries.
        entries: Vec<LogEntry>,
    },
    /// Events or log entries from that number on are no longer kept: read the whole anew.
    Gone {
        /// The task, where it is about a log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_id: Option<TaskId>,
    },
    /// A `follow` that cannot be done.
    Refused {
        /// Which task was named.
        task: String,
        /// Why.
        detail: String,
    },
    /// From a newer coordinator; ignored.
    #[serde(other)]
    Unknown,
}

impl FromViewer {
    /// A request to follow `task` from the beginning.
    pub fn follow(task: TaskRef) -> Self {
        Self::Follow { task: task.to_string(), after: 0 }
    }
}
