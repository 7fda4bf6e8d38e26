//! The interface described by itself: made from the handlers, completed with what all of them have in common.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use swarm_proto::{API_PREFIX, Problem};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation as Documented;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, OpenApi, PathItem, Ref, ResponseBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::rights;
use crate::state::AppState;

const BEARER: &str = "bearer";

/// Adds title, ways to sign in, the body of errors, and to each route the right that it needs.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    "GarageSwarm".clone_into(&mut document.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document.info.description = Some(
        "Run your own AI swarm on the machines you already own. Errors are `application/problem+json` with a stable `code`; \
         times are RFC 3339 in UTC, spans are integers in fields that end in `_ms`."
            .to_owned(),
    );
    document.info.license = None;
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let known = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    let mut components =
        ComponentsBuilder::from(known).security_scheme(BEARER, scheme).schema_from::<Problem>().build();
    let mut nested = Vec::new();
    <Problem as utoipa::ToSchema>::schemas(&mut nested);
    components.schemas.extend(nested);
    document.components = Some(components);
    // A path that swallows the rest is one of axum's; the document has plain parameters.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for (path, item) in &mut document.paths.paths {
        let below = path.strip_prefix(API_PREFIX).unwrap_or(path);
        for (method, operation) in operations(item) {
            complete_operation(operation, method, below);
        }
    }
    document
}

fn complete_operation(operation: &mut Documented, method: &str, path: &str) {
    let problem = ResponseBuilder::new().description("What went wrong").content(
        "application/problem+json",
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
    );
    operation.responses.responses.insert("default".to_owned(), problem.build().into());
    let Some(right) = rights::needed(method, path) else { return };
    operation.extensions = Some(ExtensionsBuilder::new().add("x-right", right.as_str()).build());
    if !rights::is_open(right) {
        operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])]);
    }
}

/// The operations of a path with the names of their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Documented)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
        ("head", &mut item.head),
        ("options", &mut item.options),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// The document, and a page to browse it.
pub(super) fn router(document: &OpenApi) -> Router<AppState> {
    let at = format!("{API_PREFIX}/openapi.json");
    // What was made from handlers and types always becomes JSON.
    let text = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    let page: Router<AppState> = SwaggerUi::new(format!("{API_PREFIX}/docs")).config(Config::from(at.clone())).into();
    let page = page.layer(axum::middleware::map_response(async |mut response: axum::response::Response| {
        const POLICY: HeaderValue = HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        );
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
        response
    }));
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Router::new().route(&at, get(async move || (json, text).into_response())).merge(page)
}
