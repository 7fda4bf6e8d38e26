//! The two WebSocket endpoints.

mod client;
mod worker;

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

/// The sockets, below the prefix of the interface.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/ws/worker/{worker_id}", get(worker::worker_socket))
        .route("/ws/client/{user_id}", get(client::client_socket))
}
