//! What goes over the wire: REST bodies, WebSocket frames, error codes. Both ends are Rust and share these
//! types; there is no second definition. serde only, so that it builds for wasm too.
//!
//! JSON times are RFC 3339 in UTC with microseconds; spans are integers in fields that end in `_ms`. Unknown
//! fields in requests are refused where a typing mistake would be dangerous (bodies of people), and ignored
//! where versions may differ (frames of workers).
#![warn(missing_docs)]

pub mod audit;
pub mod auth;
pub mod budgets;
pub mod client;
pub mod error;
pub mod fingerprint;
pub mod join;
pub mod keys;
pub mod roles;
pub mod status;
pub mod tasks;
pub mod tools;
pub mod usage;
pub mod worker;
pub mod workers;

pub use error::{ErrorCode, Problem};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use join::{JoinLink, JoinLinkError};

use serde::{Deserialize, Serialize};

/// Where the REST interface begins.
pub const API_PREFIX: &str = "/api/v1";

/// Under which type coordinators announce themselves on the local network (DNS-SD).
pub const ANNOUNCED_AS: &str = "_garageswarm._tcp.local.";

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that fits on one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}
