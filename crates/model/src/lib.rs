//! The domain of GarageSwarm: ids, time, the task's state machine, leases, failure classes, rights and
//! the invariants that tests, simulation and `debug_assert!` share.
//!
//! Pure: no I/O, no clock of its own, no randomness but what it is given. It builds for wasm, so that the
//! panel sees the same types as the coordinator.
#![warn(missing_docs)]

pub mod budget;
pub mod cascade;
pub mod change;
pub mod course;
#[cfg(not(target_arch = "wasm32"))]
pub mod crash;
pub mod day;
pub mod failure;
pub mod id;
pub mod invariants;
pub mod isolation;
pub mod log;
pub mod rights;
pub mod task;
pub mod time;
pub mod tool;
pub mod usage;
pub mod worker;

pub use cascade::{AtLimit, ModelChoice, Role};
pub use day::Day;
pub use failure::FailureClass;
pub use id::{
    BootId, BudgetId, EventId, GrantId, KeyId, RunId, SessionId, TaskId, TaskNumber, TaskRef, TokenId, UserId,
    WorkerId, WorkflowId,
};
pub use isolation::Isolation;
pub use task::{TaskEvent, TaskState, TaskStatus};
pub use time::{Clock, Timestamp};
pub use tool::ToolName;
pub use worker::WorkerStatus;
