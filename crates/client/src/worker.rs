//! A machine's view of the coordinator, with the credential that it got when it enrolled.
//!
//! A worker lives on its socket; the methods carry the same content over HTTP for those that have none.

use std::fmt::{self, Display};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use swarm_model::WorkerId;
use swarm_model::task::Artifact;
use swarm_model::worker::AttemptRef;
use swarm_proto::worker::{Report, ReportReply};
use swarm_proto::workers::{Heartbeat, HeartbeatReply, PullTask, PulledTask};

use crate::http::{Http, PATIENCE};
use crate::socket::{self, Entry};
use crate::{Address, Body, ClientError, WorkerSocket};

/// How long an upload may take.
const UPLOAD: Duration = Duration::from_mins(10);

/// An enrolled worker. Clones share where the coordinator is.
#[derive(Clone)]
pub struct WorkerClient {
    http: Arc<RwLock<Http>>,
    worker_id: WorkerId,
    credential: String,
}

impl fmt::Debug for WorkerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerClient")
            .field("address", &self.address())
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

impl WorkerClient {
    pub(crate) fn new(http: Http, worker_id: WorkerId, credential: String) -> Self {
        Self { http: Arc::new(RwLock::new(http)), worker_id, credential }
    }

    /// Where the coordinator is.
    pub fn address(&self) -> Address {
        self.http().address
    }

    /// Who the worker is.
    pub fn worker_id(&self) -> WorkerId {
        self.worker_id
    }

    /// The certificate that the coordinator must have; none where the usual authorities vouch for it.
    pub fn pin(&self) -> Option<swarm_proto::Fingerprint> {
        self.http().pin
    }

    /// The same worker, should its coordinator be at this address. The pin goes along.
    pub fn elsewhere(&self, address: Address) -> Result<Self, ClientError> {
        let http = Arc::new(RwLock::new(Http::trusted(address, self.pin())?));
        Ok(Self { http, ..self.clone() })
    }

    /// The coordinator is where `other` found it: from now on all clones ask there.
    pub fn follow(&self, other: &Self) {
        *self.http.write().unwrap_or_else(PoisonError::into_inner) = other.http();
    }

    fn http(&self) -> Http {
        self.http.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the socket. `hello` is the first frame to send.
    pub async fn connect(&self) -> Result<WorkerSocket, ClientError> {
        let entry = Entry::Bearer(self.credential.clone());
        socket::open(&self.http(), &[&"ws", &"worker", &self.worker_id], entry).await
    }

    /// Reports that the worker lives and what it works on.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatReply, ClientError> {
        self.json(self.request(Method::POST, &[&"heartbeat"]).json(heartbeat)).await
    }

    /// Asks for a task, waiting for one where the query says so.
    pub async fn pull_task(&self, query: PullTask) -> Result<PulledTask, ClientError> {
        let patience = PATIENCE + Duration::from_millis(query.wait_ms);
        self.json(self.request(Method::GET, &[&"pull-task"]).query(&query).timeout(patience)).await
    }

    /// Reports accepts, refusals, progress, lines and results; they commit together.
    pub async fn report(&self, report: &Report) -> Result<ReportReply, ClientError> {
        self.json(self.request(Method::POST, &[&"report"]).json(report)).await
    }

    /// Stores a file that a run left behind. `name` is its path within the working folder, with `/` between.
    pub async fn upload_artifact(
        &self,
        attempt: AttemptRef,
        name: &str,
        content: impl Into<Body>,
    ) -> Result<Artifact, ClientError> {
        let mut parts: Vec<&(dyn Display + Sync)> = vec![&"artifacts", &attempt.task_id, &attempt.attempt];
        let folders: Vec<&str> = name.split('/').collect();
        parts.extend(folders.iter().map(|part| part as &(dyn Display + Sync)));
        self.json(self.request(Method::PUT, &parts).timeout(UPLOAD).body(content)).await
    }

    fn request(&self, method: Method, parts: &[&(dyn Display + Sync)]) -> RequestBuilder {
        let mut path: Vec<&(dyn Display + Sync)> = vec![&"workers", &self.worker_id];
        path.extend(parts);
        self.http().request(method, &path).bearer_auth(&self.credential)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        self.http().json(request).await
    }
}
