//! The web panel's files, which are part of the program, and how a browser is to keep them.
//!
//! Every file has a tag by which a browser asks whether it is still the same; what has its hash in its name is kept
//! for good. A page may load nothing but what comes from here, and no other page may frame it. A path that is no
//! file is a place within the panel, when a browser asks for a page; otherwise there is nothing.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use swarm_proto::ErrorCode;

use crate::auth::names::host_of;
use crate::error::ApiError;

#[expect(clippy::type_complexity, reason = "the build script writes it, and names no types")]
mod files {
    include!(concat!(env!("OUT_DIR"), "/panel_files.rs"));
}

/// Path, media type, tag, whether it never changes, content, content gzipped.
type File = (&'static str, &'static str, &'static str, bool, &'static [u8], Option<&'static [u8]>);

const INDEX: &str = "index.html";
const MISSING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>GarageSwarm</title>\n\
    <h1>The coordinator runs, but this build has no panel</h1>\n\
    <p>Build it in with <code>cargo xtask build</code> and start again. The command line and the interface work without it: \
    see <a href=\"/api/v1/docs\">/api/v1/docs</a>.</p>\n";

/// Answers a request that no route is for.
pub(crate) fn answer(request: &Request) -> Response {
    let host = host_of(request.uri(), request.headers()).unwrap_or_default();
    answer_from(files::FILES, request.method(), request.uri().path(), request.headers(), host)
}

fn answer_from(files: &[File], method: &Method, path: &str, headers: &HeaderMap, host: &str) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return ApiError::new(ErrorCode::MethodNotAllowed, "Pages are only read.").into_response();
    }
    let name = path.trim_start_matches('/');
    let named = files.iter().find(|file| file.0 == name);
    let wants_page = lists(headers, header::ACCEPT, "text/html");
    match named.or_else(|| files.iter().find(|file| file.0 == INDEX && wants_page)) {
        Some(file) => file_response(file, headers, host),
        None if wants_page => (StatusCode::SERVICE_UNAVAILABLE, Html(MISSING)).into_response(),
        None => ApiError::not_found("page").into_response(),
    }
}

fn file_response(&(name, media_type, tag, immutable, content, gzip): &File, asked: &HeaderMap, host: &str) -> Response {
    let gzip = gzip.filter(|_| lists(asked, header::ACCEPT_ENCODING, "gzip"));
    // Another encoding is another representation, and has another tag.
    let tag = if gzip.is_some() { format!("{}-gzip\"", tag.trim_end_matches('"')) } else { tag.to_owned() };
    let is_same = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| has_tag(known, &tag));

    let mut response = if is_same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Body::from(gzip.unwrap_or(content)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if gzip.is_some() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let keep = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if name == INDEX
        && let Ok(policy) = HeaderValue::from_str(&policy(host))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What the panel may load. `host` was found to be one of our names; browsers that do not count sockets as `'self'`
/// need it spelt out.
fn policy(host: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
}

/// Whether a list in a header has `word`, and not with the weight zero.
fn lists(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|named| named.eq_ignore_ascii_case(word));
        is_named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)))
    })
}

fn has_tag(known: &str, tag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests;
