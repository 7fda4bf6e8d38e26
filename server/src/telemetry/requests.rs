//! Every request gets an id, a span, a line in the log and a place in the numbers.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::count_request;
use crate::error::name_request;
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let request_id =
        state.new_id(|_, entropy| u64::from_be_bytes(entropy.ten_bytes()[..8].try_into().unwrap_or_default()));
    let request_id = format!("{request_id:016x}");
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let began = Instant::now();
    let span = tracing::info_span!("request", request_id, method, route);

    let mut response = next.run(request).instrument(span.clone()).await;

    let took = began.elapsed();
    let status = response.status();
    count_request(method, route, status.as_u16(), took);
    let success = !status.is_client_error() && !status.is_server_error();
    let duration = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), durationMs = duration, success, "request answered"));

    name_request(&mut response, &request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A method's name as a label: strangers can make up methods.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
