//! `/mcp`: the tools of `swarm-mcp` over HTTP, for AI clients on whatever machine.
//!
//! Who asks shows the same bearer token as for the REST interface, with each request: there are no sessions, and
//! nothing is kept between two calls. A call is the handler of the REST interface with the same name, so that rights
//! are checked where they always are. A call that waits ends with its token.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use swarm_mcp::{Entrance, Extensions, Refusal, Swarm, SwarmServer};
use swarm_model::TaskRef;
use swarm_proto::Page;
use swarm_proto::tasks::{CreateTask, ListTasks, LogPage, ReadLog, Task};
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};
use swarm_proto::workers::Worker;

use super::{tasks, tools, usage, workers};
use crate::auth::{Identity, Revocation};
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::state::AppState;

/// Where it is.
const PATH: &str = "/mcp";

/// The one route of the protocol.
pub(super) fn router(state: &AppState) -> Router<AppState> {
    // Names and origins are checked for every request already, by our own rules.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .disable_allowed_hosts()
        .with_max_request_body_bytes(state.config.limits.body_bytes)
        .with_cancellation_token(state.shutdown.child_token());
    let entrance: Arc<dyn Entrance> = Arc::new(Door { state: state.clone() });
    let server = move || Ok(SwarmServer::new(Arc::clone(&entrance)));
    let service = StreamableHttpService::new(server, Arc::new(NeverSessionManager::default()), config);
    Router::new().route_service(PATH, service).layer(from_fn_with_state(state.clone(), admit))
}

/// Lets nobody in but people, and programs that act for them.
async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let identity = match Identity::from_request_parts(&mut parts, &state).await {
        Ok(identity) => identity,
        Err(error) => return error.into_response(),
    };
    if let Err(error) = identity.person() {
        return error.into_response();
    }
    // Nobody behind this needs the token any more.
    parts.headers.remove(AUTHORIZATION);
    parts.extensions.insert(identity);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Finds the asker among what came with the request.
struct Door {
    state: AppState,
}

#[async_trait]
impl Entrance for Door {
    async fn enter(&self, extensions: &Extensions) -> Result<Box<dyn Swarm>, Refusal> {
        let parts = extensions.get::<Parts>();
        let identity = parts.and_then(|parts| parts.extensions.get::<Identity>()).cloned();
        let identity = identity.ok_or_else(|| refusal(ApiError::unauthenticated()))?;
        let revoked = identity.revoked();
        Ok(Box::new(Inside { state: self.state.clone(), identity, revoked }))
    }
}

/// The swarm as one asker may use it, from within the coordinator.
struct Inside {
    state: AppState,
    identity: Identity,
    /// A call may wait for minutes, and its token was good when it began.
    revoked: Revocation,
}

impl Inside {
    fn parts(&self) -> (State<AppState>, Identity) {
        (State(self.state.clone()), self.identity.clone())
    }
}

#[async_trait]
impl Swarm for Inside {
    async fn create_task(&self, wish: CreateTask) -> Result<Task, Refusal> {
        let (state, identity) = self.parts();
        let created = tasks::create_task(state, identity, HeaderMap::new(), Json(wish)).await;
        created.map(|(_, Json(task))| task).map_err(refusal)
    }

    async fn task(&self, task: TaskRef) -> Result<Task, Refusal> {
        let (state, identity) = self.parts();
        body(tasks::get_task(state, identity, named(task)).await)
    }

    async fn log(&self, task: TaskRef, query: ReadLog) -> Result<LogPage, Refusal> {
        let (state, identity) = self.parts();
        tokio::select! {
            biased;
            () = self.revoked.cancelled() => Err(refusal(ApiError::unauthenticated())),
            page = tasks::read_log(state, identity, named(task), Query(query)) => body(page),
        }
    }

    async fn tasks(&self, query: ListTasks) -> Result<Page<Task>, Refusal> {
        let (state, identity) = self.parts();
        body(tasks::list_tasks(state, identity, Query(query)).await)
    }

    async fn cancel_task(&self, task: TaskRef) -> Result<Task, Refusal> {
        let (state, identity) = self.parts();
        body(tasks::cancel_task(state, identity, named(task)).await)
    }

    async fn workers(&self) -> Result<Page<Worker>, Refusal> {
        let (state, identity) = self.parts();
        body(workers::list_workers(state, identity).await)
    }

    async fn tools(&self) -> Result<Page<SwarmTool>, Refusal> {
        let (state, identity) = self.parts();
        body(tools::list_tools(state, identity).await)
    }

    async fn usage(&self, query: ReadUsage) -> Result<UsageReport, Refusal> {
        let (state, identity) = self.parts();
        body(usage::read_usage(state, identity, Query(query)).await)
    }
}

fn named(task: TaskRef) -> Path<String> {
    Path(task.to_string())
}

fn body<T>(answer: Result<Json<T>, ApiError>) -> Result<T, Refusal> {
    answer.map(|Json(body)| body).map_err(refusal)
}

/// The sentence of the problem; the cause of a fault goes to the log.
fn refusal(error: ApiError) -> Refusal {
    error.log();
    Refusal::new(error.detail())
}
