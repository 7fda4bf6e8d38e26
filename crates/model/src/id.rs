//! Ids: newtypes over UUIDv7, so that a task's id cannot be handed over where a worker's is wanted.
//!
//! They sort by the time they were made. An id is put together from a clock and random bits that the
//! caller gives, never from a hidden source.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {kind} id")]
pub struct ParseIdError {
    kind: &'static str,
    text: String,
}

/// Random bits for an id. Implemented for every closure that fills ten bytes.
pub trait Entropy {
    /// Ten random bytes.
    fn ten_bytes(&mut self) -> [u8; 10];
}

impl<F: FnMut() -> [u8; 10]> Entropy for F {
    fn ten_bytes(&mut self) -> [u8; 10] {
        self()
    }
}

/// Random bits from the operating system's generator by way of the thread's own.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

#[cfg(not(target_arch = "wasm32"))]
impl Entropy for SystemEntropy {
    fn ten_bytes(&mut self) -> [u8; 10] {
        rand::random()
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id (UUIDv7, RFC 9562) that sorts by `now`.
            pub fn new(now: crate::Timestamp, entropy: &mut dyn Entropy) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now.as_unix_millis(), &entropy.ten_bytes()).into_uuid())
            }

            /// Makes a new id with the thread's random generator.
            #[cfg(not(target_arch = "wasm32"))]
            pub fn generate(clock: &dyn crate::Clock) -> Self {
                Self::new(clock.now(), &mut SystemEntropy)
            }

            /// An id from a UUID that was checked elsewhere (a database row, a test).
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ParseIdError { kind: $kind, text: text.chars().take(64).collect() })
            }
        }
    };
}

id!(/// A task.
    TaskId, "task");
id!(/// A person.
    UserId, "user");
id!(/// A worker: one agent on one machine.
    WorkerId, "worker");
id!(/// A workflow definition.
    WorkflowId, "workflow");
id!(/// One execution of a workflow.
    RunId, "run");
id!(/// One start of an agent process. A new one means that the processes of the old one are gone.
    BootId, "boot");
id!(/// One connection of a worker.
    SessionId, "session");
id!(/// A `worker` or `api` key.
    KeyId, "key");
id!(/// A person's role on a worker.
    GrantId, "grant");
id!(/// A credential that was handed out: a session, a command line's token, a worker's credential.
    TokenId, "token");
id!(/// A budget.
    BudgetId, "budget");

/// The short number of a task, counted by the instance from 1; what people say and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct TaskNumber(pub i64);

impl fmt::Display for TaskNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The place of an event in the order of commits; a cursor for readers. May have gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct EventId(pub i64);

/// How a person names a task: by its id, or by its short number with or without `#`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskRef {
    /// By id.
    Id(TaskId),
    /// By short number.
    Number(TaskNumber),
}

impl FromStr for TaskRef {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        match digits.parse::<i64>() {
            Ok(number) if number > 0 => Ok(Self::Number(TaskNumber(number))),
            _ => text.parse().map(Self::Id),
        }
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<TaskId> for TaskRef {
    fn from(id: TaskId) -> Self {
        Self::Id(id)
    }
}

#[cfg(test)]
mod tests;
