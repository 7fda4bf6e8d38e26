//! Tools: one adapter for each AI tool, how a run of it is supervised, and the guard that owns its processes.
//!
//! The worker asks an [`Adapter`] for a [`Plan`] (or learns why it must decline), and hands the plan to
//! [`supervise`], which streams [`ToolEvent`]s and ends in one outcome and one record. This crate knows no
//! coordinator, no queue and no lease.

mod account;
pub mod adapter;
mod catalogue;
mod detect;
mod environment;
pub mod event;
mod framer;
pub mod guard;
mod http;
pub mod isolation;
mod meter;
pub mod prices;
mod proxy;
mod refusal;
pub mod registry;
pub mod run;
mod sandbox;
pub mod settings;
mod sse;
mod variables;

pub use account::{KeptKey, KeyError, TakenKey};
pub use adapter::{Adapter, Confinement, Plan, RunDirs, RunRequest};
pub use event::ToolEvent;
pub use guard::GuardBinary;
pub use registry::Registry;
pub use run::supervise;
pub use settings::ToolSettings;
pub use variables::Variables;
