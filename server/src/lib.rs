//! The coordinator as a library: REST, WebSocket, sign-in, drivers, telemetry.
//!
//! [`Coordinator::start`] builds it from settings, stores and a clock, [`run`] serves it on a listener until it
//! is told to stop; `main` and the tests call the same two. Policy is `swarm-engine`'s, rows are `swarm-store`'s:
//! here is who may ask, what goes over the wire, and when what is carried out.

mod announce;
pub mod api;
pub mod auth;
pub mod config;
mod coordinator;
pub mod dispatch;
pub mod error;
pub mod extract;
pub mod hub;
mod machine;
mod panel;
mod quotas;
mod retention;
mod serving;
pub mod setup;
pub mod state;
pub mod telemetry;
mod tls;
mod ws;

pub use config::ServerConfig;
pub use coordinator::{Coordinator, Deps, StartError, run};
pub use error::ApiError;
pub use serving::Listeners;
pub use state::AppState;
pub use tls::{Certificates, TlsError};
