//! The two WebSocket endpoints.

mod client;
mod worker;

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

/// Bytes that a socket reads at once. It is held as long as the socket is open, and most are silent: the usual 128 KiB
/// would be the greater part of what a connected worker costs.
const READ_BUFFER: usize = 4 * 1024;

/// The sockets, below the prefix of the interface.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/ws/worker/{worker_id}", get(worker::worker_socket))
        .route("/ws/client/{user_id}", get(client::client_socket))
}
