//! The coordinator's interface as Rust methods, for the command line, the worker, the panel and tests.
//!
//! A conversation begins at a [`Coordinator`], which knows only an address. Proving who one is turns it into a
//! [`Client`], who acts as a person, or a [`WorkerClient`], who acts as a machine; so a call that needs a
//! credential cannot be written without one. Sockets are a [`Socket`] of typed frames. No worker lives in a browser,
//! so its side exists natively only.
//!
//! The same code runs natively (reqwest, tungstenite) and in a browser (its own `fetch` and `WebSocket`). It
//! decides nothing: no retries, no caches; [`ClientError::is_transient`] tells the caller what is worth a retry.
#![warn(missing_docs)]

mod address;
mod client;
mod coordinator;
#[cfg(not(target_arch = "wasm32"))]
mod discover;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod glance;
mod http;
#[cfg(not(target_arch = "wasm32"))]
mod pin;
mod socket;
#[cfg(not(target_arch = "wasm32"))]
mod tls;
#[cfg(not(target_arch = "wasm32"))]
mod worker;

pub use address::{Address, ParseAddressError};
pub use client::Client;
pub use client::tasks::Download;
pub use coordinator::Coordinator;
#[cfg(not(target_arch = "wasm32"))]
pub use discover::{Announced, DiscoverError, discover, find};
pub use error::ClientError;
#[cfg(not(target_arch = "wasm32"))]
pub use glance::{Glance, glance};
pub use socket::{Socket, SocketReceiver, SocketSender, ViewerSocket, WorkerSocket};
pub use swarm_proto::Fingerprint;
#[cfg(not(target_arch = "wasm32"))]
pub use worker::WorkerClient;

/// The body of an upload: bytes or a file.
#[cfg(not(target_arch = "wasm32"))]
pub use reqwest::Body;

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests;
