//! Arguments of a statement.

use serde::Serialize;
use swarm_model::change::{AttemptStatus, EventKind};
use swarm_model::task::WaitReason;
use swarm_model::{
    BudgetId, EventId, FailureClass, GrantId, KeyId, RunId, TaskId, TaskNumber, TaskStatus, Timestamp, TokenId,
    ToolName, UserId, WorkerId, WorkflowId,
};

use crate::error::StoreError;
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

/// JSON text of a value that is kept as such.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Encode(error.into()))
}

/// A list of ids, numbers or names in one argument, which a statement unpacks with `jsonb_each` as `value->>0`.
pub(crate) fn array<T: Serialize>(items: impl IntoIterator<Item = T>) -> Result<Value, StoreError> {
    let items: Vec<[T; 1]> = items.into_iter().map(|item| [item]).collect();
    Ok(Value::Text(Some(json(&items)?)))
}

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

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
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

macro_rules! int_values {
    ($($number:ty: $to_int:expr),+ $(,)?) => {
        $(
            impl From<$number> for Value {
                fn from(number: $number) -> Self {
                    Self::from(Some(number))
                }
            }

            impl From<Option<$number>> for Value {
                fn from(number: Option<$number>) -> Self {
                    Self::Int(number.map($to_int))
                }
            }
        )+
    };
}

int_values! {
    i64: |number| number,
    u32: i64::from,
    u8: i64::from,
    Timestamp: Timestamp::as_micros,
    TaskNumber: |number| number.0,
    EventId: |event| event.0,
}

/// Members of closed sets, kept by their names.
macro_rules! name_values {
    ($($name:ty),+) => {
        $(
            impl From<$name> for Value {
                fn from(name: $name) -> Self {
                    Self::from(Some(name))
                }
            }

            impl From<Option<$name>> for Value {
                fn from(name: Option<$name>) -> Self {
                    Self::Text(name.map(|name| name.as_str().to_owned()))
                }
            }
        )+
    };
}

name_values!(AttemptStatus, EventKind, FailureClass, TaskStatus, WaitReason, &ToolName);

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

id_values!(BudgetId, GrantId, KeyId, RunId, TaskId, TokenId, UserId, WorkerId, WorkflowId);
