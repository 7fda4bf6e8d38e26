//! Requests in process: through the whole router, without a socket.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use swarm_proto::{ErrorCode, Problem};
use tower::ServiceExt as _;

const MAX_BODY: usize = 64 << 20;

/// A request to be sent to a coordinator in this process. It comes from this machine unless said otherwise.
#[derive(Debug)]
pub struct TestRequest {
    router: Router,
    request: Request<Body>,
}

impl TestRequest {
    pub(crate) fn new(router: Router, host: &str, method: Method, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a test names a path");
        let request = Self { router, request }.header(header::HOST, host);
        request.from(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)))
    }

    /// With a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a test names a header"));
        self
    }

    /// Without a header.
    pub fn without(mut self, name: HeaderName) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// With a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// From another address.
    pub fn from(mut self, address: SocketAddr) -> Self {
        self.request.extensions_mut().insert(ConnectInfo(address));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &impl Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("a test body is JSON");
        self.header(header::CONTENT_TYPE, "application/json").body(text)
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends it and takes the whole answer.
    pub async fn send(self) -> Answer {
        let response = self.router.oneshot(self.request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, MAX_BODY).await.expect("the body of an answer ends");
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Panics
    /// Where it is none, or something else.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        self.ok();
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks that it is a success.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    pub fn ok(&self) {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
    }

    /// The body of a failure.
    ///
    /// # Panics
    /// Where it is none, or not a whole problem.
    #[track_caller]
    pub fn problem(&self) -> Problem {
        assert_eq!(self.header(&header::CONTENT_TYPE), "application/problem+json", "{}: {}", self.status, self.text());
        let problem: Problem =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()));
        assert_eq!(problem.status, self.status.as_u16());
        assert!(problem.request_id.is_some(), "{problem:?}");
        problem
    }

    /// The code of a failure.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    pub fn code(&self) -> ErrorCode {
        self.problem().code
    }

    /// A header, or nothing.
    pub fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
