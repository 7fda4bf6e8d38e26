//! The files of a run on their way to the coordinator, before its result follows them.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use swarm_client::{ClientError, WorkerClient};
use swarm_model::task::Artifact;
use swarm_model::worker::AttemptRef;
use tokio_util::sync::CancellationToken;

use crate::artifacts;
use crate::journal::RunFolder;

/// How often a coordinator that answers, but cannot take a file now, is asked. Where nobody answers there is
/// no bound: the result would not get there either.
const MAX_REFUSALS: u32 = 8;

/// Uploads these files and returns those that the coordinator has. None of them is worth the result: what it
/// does not take is left out, with a word in the agent's log.
pub(crate) async fn upload(
    client: WorkerClient,
    attempt: AttemptRef,
    folder: RunFolder,
    artifacts: Vec<Artifact>,
    cancel: CancellationToken,
) -> Vec<Artifact> {
    let mut stored = Vec::new();
    for artifact in artifacts {
        let name = artifact.name.clone();
        let uploaded = tokio::select! {
            uploaded = upload_one(&client, attempt, &folder, artifact) => uploaded,
            () = cancel.cancelled() => break,
        };
        match uploaded {
            Ok(artifact) => stored.push(artifact),
            Err(error) => tracing::warn!(%error, task = %attempt.task_id, name, "a file of the run was not stored"),
        }
    }
    stored
}

#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("it cannot be read")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
}

async fn upload_one(
    client: &WorkerClient,
    attempt: AttemptRef,
    folder: &RunFolder,
    artifact: Artifact,
) -> Result<Artifact, UploadError> {
    let builder = ExponentialBuilder::new().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
    let mut pauses = builder.with_min_delay(Duration::from_millis(200)).build();
    let mut n_refusals = 0;
    loop {
        let content = {
            let (folder, artifact) = (folder.clone(), artifact.clone());
            tokio::task::spawn_blocking(move || artifacts::read(&folder, &artifact))
                .await
                .map_err(std::io::Error::other)??
        };
        match client.upload_artifact(attempt, &artifact.name, content).await {
            Ok(stored) => return Ok(stored),
            Err(error) if !error.is_transient() => return Err(error.into()),
            Err(error) => {
                n_refusals += u32::from(!error.is_unreachable());
                if n_refusals >= MAX_REFUSALS {
                    return Err(error.into());
                }
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(5))).await;
    }
}
