//! What a request gets instead of an answer: `application/problem+json` with a stable code.
//!
//! People read `detail`, programs branch on `code`. A fault of our own says the same sentence every time; its
//! cause goes to the log, under the request's id, and never over the wire.

mod from;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use swarm_model::rights::Operation;
use swarm_proto::{ErrorCode, Problem};

const INTERNAL: &str = "Something failed inside the coordinator. Its log has the cause under this request's id.";
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was not done.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    detail: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error that the asker can do something about: `detail` says what is wrong and what to do.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, source: None }
    }

    /// A fault of our own.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(ErrorCode::Internal, INTERNAL) }
    }

    /// The request makes no sense as it is.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, detail)
    }

    /// There is no such thing, or none that the asker may know of: both look the same.
    pub fn not_found(entity: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {entity}, or you may not see it."))
    }

    /// Nobody has proved who they are.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "Send a valid token as `Authorization: Bearer ...`.")
    }

    /// Signed in, but not allowed.
    pub fn forbidden(operation: Operation) -> Self {
        use Operation as O;
        let what = operation.as_str();
        let detail = match operation {
            O::SteerWorker | O::ManageWorker | O::ReadUsage => {
                format!("You may not {what}: that is for its owner and for admins.")
            }
            O::TargetWorker => format!("You may not {what} on which you are a viewer: its owner gives roles."),
            O::InvitePeople | O::ListPeople | O::ManagePeople | O::SteerSwarm | O::ReadAudit | O::ReadMetrics => {
                format!("You may not {what}: that is for admins.")
            }
            _ => format!("You may not {what}."),
        };
        Self::new(ErrorCode::Forbidden, detail)
    }

    /// Too many requests; the next one is heard after `wait`.
    pub fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        let detail = format!("Too many tries from this address. Wait {seconds} s and try again.");
        Self::new(ErrorCode::TooManyRequests, detail).retry_after(wait)
    }

    /// Says when another try makes sense.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Keeps the cause, for the log.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What went wrong, for programs.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is wrong this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Writes it to the log: a fault of our own with its cause.
    pub(crate) fn log(&self) {
        let status = self.status();
        let cause = self.source.as_deref().map(causes).unwrap_or_default();
        if status.is_server_error() {
            tracing::error!(code = %self.code, cause, "request failed");
        } else {
            tracing::debug!(code = %self.code, detail = self.detail, cause, "request refused");
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        self.log();
        let mut response = problem_response(Problem::new(self.code, self.detail));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer for `problem`. It is kept beside its text, so that the request's id can be put in.
fn problem_response(problem: Problem) -> Response {
    let mut response = Response::new(body_of(&problem));
    response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(problem);
    response
}

/// Puts the request's id into the answer, if the answer is a problem.
pub(crate) fn name_request(response: &mut Response, request_id: &str) {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id = Some(request_id.to_owned());
        *response.body_mut() = body_of(&problem);
        // The new body is plain, also where the earlier one was compressed on its way here.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_ENCODING);
    }
}

fn body_of(problem: &Problem) -> Body {
    // A struct of texts and a number always becomes JSON.
    Body::from(serde_json::to_vec(problem).unwrap_or_default())
}

/// An error and what caused it, in one line.
fn causes(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests;
