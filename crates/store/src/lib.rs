//! What the coordinator remembers: one trait for each aggregate, one SQL implementation of them for SQLite
//! and PostgreSQL, and an in-memory one of tasks for simulation.
//!
//! Methods are intentions, each atomic and in batches; no transaction and no type of a database leaves the
//! crate. An acknowledged write is on disk. One coordinator owns a database at a time.
#![warn(missing_docs)]

pub mod artifact;
pub mod audit;
pub mod backup;
pub mod blobs;
pub mod budget;
pub mod error;
pub mod holder;
pub mod housekeeping;
#[cfg(any(test, feature = "testsuite"))]
pub mod memory;
pub mod people;
mod sql;
pub mod stores;
pub mod task;
pub mod token;
pub mod url;
pub mod usage;
pub mod worker;

pub use artifact::ArtifactStore;
pub use audit::AuditEntry;
pub use blobs::Blobs;
pub use budget::BudgetStore;
pub use error::{Conflict, Outage, StoreError};
pub use holder::Holder;
pub use housekeeping::{Housekeeping, Retention};
pub use people::PeopleStore;
pub use stores::{OpenOptions, Stores};
pub use task::TaskStore;
pub use token::{TokenHash, TokenStore};
pub use url::DatabaseUrl;
pub use usage::{UsageFilter, UsageRow, UsageScope};
pub use worker::WorkerStore;

#[cfg(test)]
mod tests;
