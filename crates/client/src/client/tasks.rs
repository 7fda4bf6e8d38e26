//! Tasks, their logs, attempts and files.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _};
use reqwest::Response;
use swarm_model::TaskRef;
use swarm_proto::Page;
use swarm_proto::tasks::{
    Attempt, CreateTask, CreateTasks, CreatedTasks, ListTasks, LogPage, Placement, ReadLog, Task, TaskArtifact,
    UpdateTask,
};

use crate::http::{Http, PATIENCE};
use crate::{Client, ClientError};

impl Client {
    /// Submits a task. With an idempotency key this may be sent again after a connection broke.
    pub async fn create_task(&self, task: &CreateTask) -> Result<Task, ClientError> {
        self.json(self.post(&[&"tasks"]).json(task)).await
    }

    /// Submits many tasks: all or none.
    pub async fn create_tasks(&self, tasks: &CreateTasks) -> Result<CreatedTasks, ClientError> {
        self.json(self.post(&[&"tasks", &"batch"]).json(tasks)).await
    }

    /// A task as it is now.
    pub async fn task(&self, task: impl Into<TaskRef>) -> Result<Task, ClientError> {
        self.json(self.get(&[&"tasks", &task.into()])).await
    }

    /// One's tasks, newest first.
    pub async fn tasks(&self, filter: &ListTasks) -> Result<Page<Task>, ClientError> {
        self.json(self.get(&[&"tasks"]).query(filter)).await
    }

    /// Changes a task that is still queued.
    pub async fn update_task(&self, task: impl Into<TaskRef>, update: &UpdateTask) -> Result<Task, ClientError> {
        self.json(self.put(&[&"tasks", &task.into()]).json(update)).await
    }

    /// Removes a task that has ended.
    pub async fn delete_task(&self, task: impl Into<TaskRef>) -> Result<(), ClientError> {
        self.done(self.delete(&[&"tasks", &task.into()])).await
    }

    /// Asks for the end of a task. One that runs ends when its worker says so.
    pub async fn cancel_task(&self, task: impl Into<TaskRef>) -> Result<Task, ClientError> {
        self.json(self.post(&[&"tasks", &task.into(), &"cancel"])).await
    }

    /// Submits an ended task anew; the answer is the new one.
    pub async fn retry_task(&self, task: impl Into<TaskRef>) -> Result<Task, ClientError> {
        self.json(self.post(&[&"tasks", &task.into(), &"retry"])).await
    }

    /// A page of a task's log; waits for news where the query says so.
    pub async fn task_log(&self, task: impl Into<TaskRef>, query: &ReadLog) -> Result<LogPage, ClientError> {
        let patience = PATIENCE + Duration::from_millis(query.wait_ms);
        self.json(self.get(&[&"tasks", &task.into(), &"logs"]).query(query).timeout(patience)).await
    }

    /// A task's assignments, the first one first.
    pub async fn task_attempts(&self, task: impl Into<TaskRef>) -> Result<Page<Attempt>, ClientError> {
        self.json(self.get(&[&"tasks", &task.into(), &"attempts"])).await
    }

    /// The files that a task's runs left behind.
    pub async fn task_artifacts(&self, task: impl Into<TaskRef>) -> Result<Page<TaskArtifact>, ClientError> {
        self.json(self.get(&[&"tasks", &task.into(), &"artifacts"])).await
    }

    /// The content of a file that a run left behind, by its hash.
    pub async fn download_artifact(&self, task: impl Into<TaskRef>, hash: &str) -> Result<Download, ClientError> {
        let request = self.get(&[&"tasks", &task.into(), &"artifacts", &hash]).timeout(Duration::from_hours(1));
        let response = self.send(request).await?;
        Ok(Download { http: self.http.clone(), response })
    }

    /// Why a task is where it is, or why nothing fits.
    pub async fn placement(&self, task: impl Into<TaskRef>) -> Result<Placement, ClientError> {
        self.json(self.get(&[&"tasks", &task.into(), &"placement"])).await
    }
}

/// The content of a file, on its way.
#[derive(Debug)]
pub struct Download {
    http: Http,
    response: Response,
}

impl Download {
    /// Bytes, where the coordinator said it.
    pub fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The whole at once.
    pub async fn bytes(self) -> Result<Bytes, ClientError> {
        self.response.bytes().await.map_err(|error| self.http.lost(error))
    }

    /// Piece by piece, for what may be large.
    pub fn pieces(self) -> impl Stream<Item = Result<Bytes, ClientError>> {
        let http = self.http;
        self.response.bytes_stream().map(move |piece| piece.map_err(|error| http.lost(error)))
    }
}
