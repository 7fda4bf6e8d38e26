//! Arguments of a statement.

use swarm_model::{EventId, GrantId, KeyId, TaskId, TaskNumber, Timestamp, TokenId, UserId, WorkerId};

use crate::token::TokenHash;

/// An argument. Each kind has its own absence, because PostgreSQL asks for the type of a null.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// The arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::value::Value::from($value)),*] };
}

pub(crate) use args;

/// PostgreSQL's text has no NUL, so that neither database gets one.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(without_nul(text)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(without_nul))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::from(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Option<u32>> for Value {
    fn from(number: Option<u32>) -> Self {
        Self::Int(number.map(i64::from))
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(Some(at.as_micros()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Int(at.map(Timestamp::as_micros))
    }
}

impl From<TaskNumber> for Value {
    fn from(number: TaskNumber) -> Self {
        Self::Int(Some(number.0))
    }
}

impl From<EventId> for Value {
    fn from(event: EventId) -> Self {
        Self::Int(Some(event.0))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(Some(flag))
    }
}

impl From<Option<bool>> for Value {
    fn from(flag: Option<bool>) -> Self {
        Self::Bool(flag)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<&TokenHash> for Value {
    fn from(hash: &TokenHash) -> Self {
        Self::Bytes(Some(hash.0.to_vec()))
    }
}

impl From<Option<&TokenHash>> for Value {
    fn from(hash: Option<&TokenHash>) -> Self {
        Self::Bytes(hash.map(|hash| hash.0.to_vec()))
    }
}

macro_rules! id_values {
    ($($id:ident),+) => {
        $(
            impl From<$id> for Value {
                fn from(id: $id) -> Self {
                    Self::Text(Some(id.to_string()))
                }
            }

            impl From<Option<$id>> for Value {
                fn from(id: Option<$id>) -> Self {
                    Self::Text(id.map(|id| id.to_string()))
                }
            }
        )+
    };
}

id_values!(GrantId, KeyId, TaskId, TokenId, UserId, WorkerId);
