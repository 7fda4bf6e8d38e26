//! What the tools ask.

use async_trait::async_trait;
use rmcp::model::Extensions;
use swarm_model::TaskRef;
use swarm_proto::Page;
use swarm_proto::tasks::{CreateTask, ListTasks, LogPage, ReadLog, Task};
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};
use swarm_proto::workers::Worker;

/// Why something was not done, in a sentence for whoever reads the answer of a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// A refusal in these words.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// The coordinator, as one asker may use it. Each member is the operation of the REST interface with that name, with
/// its rules.
#[async_trait]
pub trait Swarm: Send + Sync {
    /// Submits a task.
    async fn create_task(&self, wish: CreateTask) -> Result<Task, Refusal>;

    /// A task as it is now.
    async fn task(&self, task: TaskRef) -> Result<Task, Refusal>;

    /// A page of a task's log; waits for news where the query says so.
    async fn log(&self, task: TaskRef, query: ReadLog) -> Result<LogPage, Refusal>;

    /// The asker's tasks, newest first.
    async fn tasks(&self, query: ListTasks) -> Result<Page<Task>, Refusal>;

    /// Asks for the end of a task.
    async fn cancel_task(&self, task: TaskRef) -> Result<Task, Refusal>;

    /// The machines that the asker may see.
    async fn workers(&self) -> Result<Page<Worker>, Refusal>;

    /// The tools of those machines.
    async fn tools(&self) -> Result<Page<SwarmTool>, Refusal>;

    /// What was used.
    async fn usage(&self, query: ReadUsage) -> Result<UsageReport, Refusal>;
}

/// Finds out who asks, for each call anew.
#[async_trait]
pub trait Entrance: Send + Sync + 'static {
    /// The swarm as the asker may use it. `extensions` are what the transport says of the request.
    async fn enter(&self, extensions: &Extensions) -> Result<Box<dyn Swarm>, Refusal>;
}
