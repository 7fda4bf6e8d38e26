//! For those who watch from outside: whether it lives, whether it works, and its numbers.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::routing::get;
use subtle::ConstantTimeEq as _;
use swarm_model::rights::{Operation, Relation};
use swarm_proto::ErrorCode;

use crate::auth::{Identity, bearer};
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

/// The routes, which stand at the root and not in the documented interface.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/metrics", get(metrics))
}

/// Whether the process answers.
async fn health() -> &'static str {
    "ok\n"
}

/// Whether it takes requests: not while it stops, and not without its store.
async fn ready(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    if state.shutdown.is_cancelled() {
        return Err(ApiError::new(ErrorCode::Unavailable, "The coordinator is stopping."));
    }
    state.stores.tasks.oldest_event().await?;
    Ok("ready\n")
}

/// The numbers, for Prometheus: by their token, for an admin, or from this machine where no token is set.
async fn metrics(
    State(state): State<AppState>,
    from: ClientAddress,
    headers: HeaderMap,
    identity: Result<Identity, ApiError>,
) -> Result<([(HeaderName, HeaderValue); 1], String), ApiError> {
    let by_right = match &state.config.metrics.token {
        Some(token) => {
            bearer(&headers)?.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(token.expose().as_bytes())))
        }
        None => from.is_loopback(),
    };
    if !by_right {
        identity?.require(Operation::ReadMetrics, Relation::None)?;
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, text)], state.metrics.render()))
}
