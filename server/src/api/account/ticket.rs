//! Tickets for WebSockets.

use axum::extract::State;
use swarm_model::rights::{Operation, Relation};
use swarm_proto::auth::Ticket;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::AppState;

/// Get a ticket that opens one WebSocket within 30 seconds, as `?ticket=`: for browsers, which cannot send a
/// header with it.
#[utoipa::path(post, path = "/auth/ticket", tag = "account", responses((status = 200, body = Ticket)))]
pub(super) async fn issue_ticket(State(state): State<AppState>, identity: Identity) -> Result<Json<Ticket>, ApiError> {
    identity.require(Operation::WatchEvents, Relation::None)?;
    let (ticket, expires_at) = state.auth.issue_ticket(&identity);
    Ok(Json(Ticket { ticket, expires_at }))
}
