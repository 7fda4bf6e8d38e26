//! A scripted model on loopback: the Anthropic Messages API, OpenAI's chat completions and responses, the Gemini API and the
//! Ollama API, as far as tools use them.
//!
//! Each request for an answer takes the next step of the script; the last step stays. Nothing sleeps: a held
//! answer goes on when the test releases it, and whoever waits for something waits on a state. Every request
//! is recorded. Dropping the server closes its connections.

// Paths, because the tests of `swarm-tools` include this file without the rest of the testkit.
#[path = "model_server/anthropic.rs"]
mod anthropic;
#[path = "model_server/chat.rs"]
mod chat;
#[path = "model_server/gemini.rs"]
mod gemini;
#[path = "model_server/ollama.rs"]
mod ollama;
#[path = "model_server/responses.rs"]
mod responses;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What the model does with one request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Streams these pieces.
    Say(Vec<String>),
    /// Streams its reasoning, then an answer.
    Think {
        /// The reasoning.
        thinking: Vec<String>,
        /// The answer.
        then: Vec<String>,
    },
    /// Calls a tool of the client.
    Call {
        /// The tool's name.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// Refuses with a status of HTTP.
    Refuse {
        /// The status.
        status: u16,
        /// The provider's name for the error.
        kind: String,
        /// Its words.
        message: String,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// Streams these pieces, then an error, under status 200.
    FailMidway {
        /// What comes before.
        before: Vec<String>,
        /// The error's words.
        message: String,
    },
    /// Streams these pieces and breaks the connection.
    Cut(Vec<String>),
    /// Streams a piece again and again, with a number in the place of `#`, until the client closes the connection. Each
    /// counts as a token written.
    Endless(String),
    /// Streams `before`, waits for [`ModelServer::release`], and streams `after`.
    Held {
        /// What comes at once.
        before: Vec<String>,
        /// What comes later.
        after: Vec<String>,
    },
    /// Sends these very bytes.
    Raw {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
}

/// Tokens, as the server counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Read, without those from or for a cache.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache.
    pub cache_write: u64,
}

impl Step {
    /// Streams a text word by word.
    pub fn say(text: &str) -> Self {
        Self::Say(words(text))
    }

    /// Streams a reasoning and an answer, word by word.
    pub fn think(thinking: &str, then: &str) -> Self {
        Self::Think { thinking: words(thinking), then: words(then) }
    }

    /// Sends a body under status 200.
    pub fn raw(content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Raw { status: 200, headers, body: body.to_owned() }
    }

    /// Calls a tool.
    pub fn call(name: &str, input: Value) -> Self {
        Self::Call { name: name.to_owned(), input }
    }

    /// Refuses with 429, and says after how many seconds to come again.
    pub fn rate_limited(retry_after: u64) -> Self {
        Self::Refuse {
            status: 429,
            kind: "rate_limit_error".to_owned(),
            message: "this request would exceed the rate limit".to_owned(),
            headers: vec![("retry-after".to_owned(), retry_after.to_string())],
        }
    }

    /// Refuses with 429 because a window of a subscription is used up until `resets_at` (Unix seconds).
    pub fn quota_spent(resets_at: i64) -> Self {
        let unified = |name: &str| format!("anthropic-ratelimit-unified-{name}");
        Self::Refuse {
            status: 429,
            kind: "rate_limit_error".to_owned(),
            message: "usage limit reached".to_owned(),
            headers: vec![
                (unified("status"), "rejected".to_owned()),
                (unified("reset"), resets_at.to_string()),
                (unified("representative-claim"), "five_hour".to_owned()),
                ("retry-after".to_owned(), "3600".to_owned()),
            ],
        }
    }

    /// Refuses the credential.
    pub fn unauthorized() -> Self {
        Self::refuse(401, "authentication_error", "invalid x-api-key")
    }

    /// Knows no such model.
    pub fn unknown_model() -> Self {
        let message = "models/none is not found for API version v1: it does not exist or you do not have access to it";
        Self::refuse(404, "not_found_error", message)
    }

    /// Answers with a fault of its own.
    pub fn outage(status: u16) -> Self {
        Self::refuse(status, if status == 529 { "overloaded_error" } else { "api_error" }, "something broke")
    }

    /// Streams a text, waits for the release, and streams another.
    pub fn held(before: &str, after: &str) -> Self {
        Self::Held { before: words(before), after: words(after) }
    }

    fn refuse(status: u16, kind: &str, message: &str) -> Self {
        Self::Refuse { status, kind: kind.to_owned(), message: message.to_owned(), headers: Vec::new() }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Method and path with its query.
    pub line: String,
    /// Headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; null where it is no JSON.
    pub body: Value,
}

/// The server. It answers until it is dropped.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<VecDeque<Step>>,
    recorded: Mutex<Vec<Recorded>>,
    counted: Mutex<Counted>,
    /// What one answer counts, in place of what the provider's form says.
    price: Mutex<Option<Counted>>,
    releases: Semaphore,
    /// Answers that wait for a release now.
    n_held: watch::Sender<usize>,
    stop: CancellationToken,
}

impl ModelServer {
    /// Starts a server with a script on a free port of loopback.
    pub async fn start(script: impl IntoIterator<Item = Step>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            recorded: Mutex::default(),
            counted: Mutex::default(),
            price: Mutex::default(),
            releases: Semaphore::new(0),
            n_held: watch::Sender::new(0),
            stop: stop.clone(),
        });
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                // An accept loop ends only with the runtime.
                served = axum::serve(listener, app) => drop(served),
                () = stopped => {}
            }
        });
        Ok(Self { address, shared, _stop: stop.drop_guard() })
    }

    /// The base address: for `ANTHROPIC_BASE_URL`, `GOOGLE_GEMINI_BASE_URL` and Ollama alike. Those of OpenAI's kind
    /// want `/v1` behind it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the rest of the script.
    pub fn script(&self, steps: impl IntoIterator<Item = Step>) {
        *lock(&self.shared.script) = steps.into_iter().collect();
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.recorded).clone()
    }

    /// The requests for an answer that came so far.
    pub fn questions(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| is_question(&request.line)).collect()
    }

    /// The tokens of all answers that it began and means to end.
    pub fn counted(&self) -> Counted {
        *lock(&self.shared.counted)
    }

    /// Says what each answer counts from now on.
    pub fn count_each(&self, count: Counted) {
        *lock(&self.shared.price) = Some(count);
    }

    /// Lets one held answer go on, now or when it comes.
    pub fn release(&self) {
        self.shared.releases.add_permits(1);
    }

    /// Waits until that many answers are held: an answer stops being held when it is released, and when its
    /// client closes the connection.
    pub async fn wait_held(&self, n: usize) {
        let mut held = self.shared.n_held.subscribe();
        // The sender lives in this server.
        drop(held.wait_for(|now| *now == n).await);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_question(line: &str) -> bool {
    let path = line.strip_prefix("POST ").map(|target| target.split('?').next().unwrap_or(target));
    let known = ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/api/chat"];
    path.is_some_and(|path| known.contains(&path) || gemini::is_question(path))
}

impl Shared {
    fn next_step(&self) -> Step {
        let mut script = lock(&self.script);
        let last = script.len() <= 1;
        let step = if last { script.front().cloned() } else { script.pop_front() };
        step.unwrap_or_else(|| Step::say("The script is empty."))
    }

    /// The same, counted if the answer is to be whole.
    fn take_step(&self, count: Counted) -> Step {
        let step = self.next_step();
        match step {
            Step::Say(_) | Step::Think { .. } | Step::Call { .. } | Step::Held { .. } => self.add(count),
            Step::Endless(_) => self.add(Counted { output: 0, ..count }),
            Step::Refuse { .. } | Step::FailMidway { .. } | Step::Cut(_) | Step::Raw { .. } => {}
        }
        step
    }

    /// What one answer counts.
    fn count(&self, usual: Counted) -> Counted {
        lock(&self.price).unwrap_or(usual)
    }

    fn add(&self, count: Counted) {
        let mut counted = lock(&self.counted);
        *counted = Counted {
            input: counted.input + count.input,
            output: counted.output + count.output,
            cache_read: counted.cache_read + count.cache_read,
            cache_write: counted.cache_write + count.cache_write,
        };
    }
}

/// A key that the server gives no list of models to.
pub const WRONG_KEY: &str = "sk-wrong";

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri);
    let headers: BTreeMap<String, String> =
        head.headers.iter().map(|(name, value)| (name.to_string(), lossy(value))).collect();
    let is_wrong = headers.values().any(|value| value.ends_with(WRONG_KEY));
    let body = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    lock(&shared.recorded).push(Recorded { line: line.clone(), headers, body: body.clone() });
    match head.uri.path() {
        "/v1/models" | "/v1beta/models" if is_wrong => {
            refusal(401, &[], json!({ "error": { "message": "no such key", "type": "authentication_error" } }))
        }
        "/v1/models" if head.headers.contains_key("anthropic-version") => Json(anthropic::models()).into_response(),
        "/v1/models" => Json(chat::models()).into_response(),
        "/v1/chat/completions" => chat::answer(&shared, &body),
        "/v1/messages" => anthropic::answer(&shared, &body),
        "/v1/responses" => responses::answer(&shared, &body),
        "/v1/messages/count_tokens" => Json(json!({ "input_tokens": 10 })).into_response(),
        "/api/chat" => ollama::answer(&shared, &body),
        "/api/tags" => Json(ollama::tags()).into_response(),
        "/api/version" => Json(json!({ "version": ollama::VERSION })).into_response(),
        "/v1beta/models" => Json(gemini::models()).into_response(),
        path if gemini::is_question(path) => gemini::answer(&shared, &head.uri),
        path if path.ends_with(":countTokens") => Json(json!({ "totalTokens": 10 })).into_response(),
        "/" => StatusCode::OK.into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({ "error": "404 page not found" }))).into_response(),
    }
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// A refusal with its headers; the body is in the provider's form.
fn refusal(status: u16, headers: &[(String, String)], body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An answer as the test wrote it.
fn raw(status: u16, headers: &[(String, String)], body: String) -> Response {
    let mut response = refusal(status, headers, Value::Null);
    *response.body_mut() = Body::from(body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

/// A body of chunks that ends as it should.
fn streamed(content_type: &'static str, chunks: impl Stream<Item = String> + Send + 'static) -> Response {
    let body = Body::from_stream(chunks.map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk))));
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A body of chunks after which the connection breaks.
fn broken_off(content_type: &'static str, chunks: Vec<String>) -> Response {
    let broken = stream::once(async {
        // The connection sends what it has while the body makes it wait.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let body = Body::from_stream(stream::iter(chunks).map(|chunk| Ok(Bytes::from(chunk))).chain(broken));
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A body that begins and never ends: one chunk, and then another again and again.
fn endless(content_type: &'static str, shared: Arc<Shared>, before: Vec<String>, again: String) -> Response {
    let again = stream::iter(0_u64..).then(move |n| {
        shared.add(Counted { output: 1, ..Counted::default() });
        let chunk = again.replace('#', &n.to_string());
        async move {
            // The connection sends what it has, and sees when nobody reads it any more.
            tokio::task::yield_now().await;
            chunk
        }
    });
    streamed(content_type, stream::iter(before).chain(again))
}

/// A body that waits in its middle for the release, and breaks off when the server stops.
fn held(content_type: &'static str, shared: Arc<Shared>, before: Vec<String>, after: Vec<String>) -> Response {
    let later = stream::once(async move {
        let waiting = Waiting::new(shared.clone());
        tokio::select! {
            permit = shared.releases.acquire() => drop(permit.map(tokio::sync::SemaphorePermit::forget)),
            () = shared.stop.cancelled() => {}
        }
        drop(waiting);
        stream::iter(after)
    });
    streamed(content_type, stream::iter(before).chain(later.flatten()))
}

/// Counts an answer as held for as long as it lives, which a closed connection ends.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: Arc<Shared>) -> Self {
        shared.n_held.send_modify(|n| *n += 1);
        Self(shared)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.n_held.send_modify(|n| *n -= 1);
    }
}
