//! `garageswarm mcp`: the tools of the swarm for an AI client that starts this program and speaks MCP with it.
//!
//! Standard output belongs to the protocol; what else there is to say goes to standard error. Who asks is found as by
//! every other command, and only when a tool is called: a client that starts before the coordinator is told what to do
//! by the tool that it calls, and goes on when it is there.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rmcp::ServiceExt as _;
use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::stdio;
use swarm_client::{Client, ClientError};
use swarm_mcp::{Entrance, Extensions, Refusal, Swarm, SwarmServer};
use swarm_model::TaskRef;
use swarm_proto::Page;
use swarm_proto::tasks::{CreateTask, ListTasks, LogPage, ReadLog, Task};
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};
use swarm_proto::workers::Worker;
use swarm_server::ServerConfig;
use swarm_server::config::Log;
use swarm_server::telemetry::init_logging;

use crate::config::{Flags, load};
use crate::context::Context;
use crate::failure::Failure;

/// Serves the client on standard input and output until it goes.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let quiet = ServerConfig { log: Log { filter: "warn".to_owned(), ..Log::default() }, ..ServerConfig::default() };
    let log = load(&Flags::default(), context, quiet)?.log;
    init_logging(&log, "garageswarm-mcp").map_err(Failure::fault)?;
    let known = Arc::new(Mutex::new(None));
    let entrance = SignedIn { context: context.clone(), known };
    let serving = match SwarmServer::new(Arc::new(entrance)).serve(stdio()).await {
        Ok(serving) => serving,
        // It went before it said who it is.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(Failure::fault(error)),
    };
    match serving.waiting().await.map_err(Failure::fault)? {
        QuitReason::JoinError(error) => Err(Failure::fault(error)),
        _ => Ok(()),
    }
}

/// The sign-in that was found, for as long as it is good.
type Known = Arc<Mutex<Option<Client>>>;

/// As whom this command line acts.
struct SignedIn {
    context: Context,
    known: Known,
}

#[async_trait]
impl Entrance for SignedIn {
    async fn enter(&self, _extensions: &Extensions) -> Result<Box<dyn Swarm>, Refusal> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let client = match known {
            Some(client) => client,
            None => {
                let context = self.context.clone();
                // Files, and a keychain that may take its time.
                let found = tokio::task::spawn_blocking(move || context.client()).await;
                let client =
                    found.map_err(|error| Refusal::new(error.to_string()))?.map_err(|failure| told(&failure))?;
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
                client
            }
        };
        Ok(Box::new(Remote { client, known: Arc::clone(&self.known) }))
    }
}

/// The coordinator over its REST interface.
struct Remote {
    client: Client,
    known: Known,
}

impl Remote {
    fn refusal(&self, error: ClientError) -> Refusal {
        if error.is_unauthenticated() {
            // The person may sign in anew while the client lives.
            self.known.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        told(&error.into())
    }
}

fn told(failure: &Failure) -> Refusal {
    let advice = failure.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
    Refusal::new(format!("{}{advice}", failure.what()))
}

#[async_trait]
impl Swarm for Remote {
    async fn create_task(&self, wish: CreateTask) -> Result<Task, Refusal> {
        self.client.create_task(&wish).await.map_err(|error| self.refusal(error))
    }

    async fn task(&self, task: TaskRef) -> Result<Task, Refusal> {
        self.client.task(task).await.map_err(|error| self.refusal(error))
    }

    async fn log(&self, task: TaskRef, query: ReadLog) -> Result<LogPage, Refusal> {
        self.client.task_log(task, &query).await.map_err(|error| self.refusal(error))
    }

    async fn tasks(&self, query: ListTasks) -> Result<Page<Task>, Refusal> {
        self.client.tasks(&query).await.map_err(|error| self.refusal(error))
    }

    async fn cancel_task(&self, task: TaskRef) -> Result<Task, Refusal> {
        self.client.cancel_task(task).await.map_err(|error| self.refusal(error))
    }

    async fn workers(&self) -> Result<Page<Worker>, Refusal> {
        self.client.workers().await.map_err(|error| self.refusal(error))
    }

    async fn tools(&self) -> Result<Page<SwarmTool>, Refusal> {
        self.client.tools().await.map_err(|error| self.refusal(error))
    }

    async fn usage(&self, query: ReadUsage) -> Result<UsageReport, Refusal> {
        self.client.usage(&query).await.map_err(|error| self.refusal(error))
    }
}
