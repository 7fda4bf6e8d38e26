//! The interface: every route, in the order in which a request meets them.
//!
//! From outside in: an id and a span, panics caught, foreign names refused, headers of safety, allowed origins,
//! compression, strangers refused where a right is needed, then the route. Everything under the prefix answers
//! with JSON, also where there is no such route; everything else that a browser asks for is the panel's.

mod account;
mod audit;
mod budgets;
mod documents;
mod error_pages;
mod keys;
mod mcp;
mod people;
mod probes;
mod rights;
pub(crate) mod roles;
mod status;
pub(crate) mod swarm;
pub(crate) mod tasks;
mod tools;
mod usage;
pub(crate) mod workers;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use swarm_proto::{API_PREFIX, ErrorCode};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::names::refuse_foreign;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::observe;
use crate::{panel, ws};

/// The documented interface, without its prefix.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(account::router())
        .merge(people::router())
        .merge(audit::router())
        .merge(keys::router())
        .merge(status::router())
        .merge(swarm::router())
        .merge(usage::router())
        .merge(budgets::router())
        .merge(roles::router())
        .merge(tools::router())
        .merge(tasks::router())
        .merge(workers::router())
}

/// The routes and their document, with what each needs to be allowed.
fn documented() -> (Router<AppState>, OpenApi) {
    let (router, document) = OpenApiRouter::new().nest(API_PREFIX, resources()).split_for_parts();
    (router, documents::complete(document))
}

/// The whole interface.
pub(crate) fn router(state: &AppState) -> Router {
    let (resources, document) = documented();
    // Files that runs left behind may be large and are often packed already.
    let packed = DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"));
    let interface = resources
        .layer(from_fn_with_state(state.clone(), rights::refuse_strangers))
        .nest(API_PREFIX, ws::router())
        .merge(documents::router(&document))
        .merge(mcp::router(state))
        .layer(DefaultBodyLimit::max(state.config.limits.body_bytes))
        .layer(CompressionLayer::new().compress_when(packed));
    interface
        .merge(probes::router())
        .route("/docs/errors/{code}", get(error_pages::error_page))
        .fallback(other)
        .method_not_allowed_fallback(wrong_method)
        .layer(cors(state))
        .layer(from_fn(safe_headers))
        .layer(from_fn_with_state(state.clone(), refuse_foreign))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state.clone())
}

/// What no route is for: the panel's, or nothing.
async fn other(request: Request) -> Response {
    if request.uri().path().starts_with("/api/") {
        return ApiError::new(
            ErrorCode::NotFound,
            format!("There is no such route; {API_PREFIX}/docs lists those that are."),
        )
        .into_response();
    }
    panel::answer(&request)
}

async fn wrong_method(method: Method) -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("This resource has no {method}; {API_PREFIX}/docs says what it has."),
    )
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().map(ToString::to_string);
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    ApiError::internal(format!("panic: {}", said.unwrap_or_default())).into_response()
}

/// Headers that every answer has. Pages say themselves what they may load.
async fn safe_headers(request: Request, next: axum::middleware::Next) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    let is_interface = request.uri().path().starts_with(API_PREFIX);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    if is_interface {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// Pages of the allowed origins may use the interface with a token; cookies are never theirs.
fn cors(state: &AppState) -> CorsLayer {
    let origins = state.auth.names().allowed_origins();
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok())))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
}

#[cfg(test)]
mod tests;
