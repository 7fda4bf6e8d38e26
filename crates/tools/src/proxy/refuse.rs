//! How a provider says no: what the proxy answers by itself looks to the tool as if the provider had said it.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::wire::Wire;

/// A body on its way to the tool.
pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// The connection to the provider broke, and that to the tool breaks with it.
#[derive(Debug, thiserror::Error)]
#[error("the connection to the provider broke")]
pub(super) struct Broken(#[source] pub(super) Option<reqwest::Error>);

/// A refusal in the language of a question. No tool tries again what is refused with 400.
pub(super) fn refusal(wire: Option<Wire>, status: StatusCode, words: &str) -> Response<Body> {
    let body = document(wire, status, words).to_string();
    let mut response = Response::new(Full::from(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn document(wire: Option<Wire>, status: StatusCode, words: &str) -> Value {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::NOT_FOUND => "not_found_error",
        _ => "invalid_request_error",
    };
    match wire {
        Some(Wire::Messages) => json!({ "type": "error", "error": { "type": kind, "message": words } }),
        Some(Wire::Gemini) => {
            let name = match status {
                StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
                StatusCode::NOT_FOUND => "NOT_FOUND",
                _ => "FAILED_PRECONDITION",
            };
            json!({ "error": { "code": status.as_u16(), "message": words, "status": name } })
        }
        Some(Wire::Ollama) => json!({ "error": words }),
        Some(Wire::Chat | Wire::Responses) | None => {
            json!({ "error": { "message": words, "type": kind, "param": null, "code": null } })
        }
    }
}

/// What ends a stream in its middle, as the provider would end it. Empty where a stream has no way to say it.
pub(super) fn ending(wire: Wire, framing: Framing, words: &str) -> Bytes {
    let status = StatusCode::BAD_REQUEST;
    let text = match (wire, framing) {
        (Wire::Responses, Framing::Events) => {
            let error = json!({ "code": "invalid_prompt", "message": words });
            let failed =
                json!({ "type": "response.failed", "response": { "id": "", "status": "failed", "error": error } });
            format!("\n\nevent: response.failed\ndata: {failed}\n\n")
        }
        (Wire::Messages, Framing::Events) => {
            format!("\n\nevent: error\ndata: {}\n\n", document(Some(wire), status, words))
        }
        (_, Framing::Events) => format!("\n\ndata: {}\n\n", document(Some(wire), status, words)),
        (_, Framing::Lines) => format!("\n{}\n", document(Some(wire), status, words)),
        (_, Framing::Whole) => String::new(),
    };
    Bytes::from(text)
}

/// How an answer is cut into documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Events,
    /// One a line.
    Lines,
    /// The body is the document.
    Whole,
}

impl Framing {
    /// Tells by the type of the content.
    pub(super) fn of(content_type: Option<&HeaderValue>) -> Self {
        let kind = content_type.map(HeaderValue::as_bytes).unwrap_or_default();
        if kind.starts_with(b"text/event-stream") {
            Self::Events
        } else if kind.starts_with(b"application/x-ndjson") {
            Self::Lines
        } else {
            Self::Whole
        }
    }
}
