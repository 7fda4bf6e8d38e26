//! Files that a run left behind, sent by its worker; and what a report may hold.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::TryStreamExt;
use swarm_model::log::MAX_ENTRY_BYTES;
use swarm_model::rights::Operation;
use swarm_model::task::Artifact;
use swarm_model::worker::AttemptRef;
use swarm_model::{TaskId, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::worker::Report;
use swarm_store::artifact::NewArtifact;
use tokio_util::io::StreamReader;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Bytes of an artifact's name.
const MAX_NAME: usize = 512;

/// Store a file of an attempt that the worker holds. The body is the content.
#[utoipa::path(put, path = "/workers/{id}/artifacts/{task_id}/{attempt}/{*name}", tag = "workers",
    params(("id" = WorkerId, Path), ("task_id" = TaskId, Path), ("attempt" = u32, Path), ("name" = String, Path, description = "Path in the working folder")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = Artifact)))]
pub(super) async fn upload_artifact(
    State(state): State<AppState>,
    identity: Identity,
    Path((id, task_id, attempt, name)): Path<(WorkerId, TaskId, u32, String)>,
    body: Body,
) -> Result<(StatusCode, Json<Artifact>), ApiError> {
    load(&state, &identity, Operation::ActAsWorker, id).await?;
    if !is_plain_path(&name) {
        return Err(ApiError::invalid(format!("\"{name}\" is not a path within the working folder")));
    }
    let held = state.dispatcher.holds(id, AttemptRef { task_id, attempt }).await?;
    let number = held
        .ok_or_else(|| ApiError::new(ErrorCode::StaleLease, "this worker does not hold the lease of that attempt"))?;
    let stored = state.stores.artifacts.artifacts(number).await?;
    state.quotas.one_more_file(&stored, attempt, &name)?;
    let mut content = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    let blob = state.stores.blobs.put(&mut content, state.config.limits.artifact_bytes, None).await?;
    let artifact = Artifact { name, size: blob.size, hash: blob.hash };
    let row = NewArtifact { number, attempt, artifact: artifact.clone(), created_at: state.clock.now() };
    state.stores.artifacts.save_artifacts(&[row]).await?;
    Ok((StatusCode::CREATED, Json(artifact)))
}

/// Whether a name stays within its folder on every system.
fn is_plain_path(name: &str) -> bool {
    let part_is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.split('/').all(part_is_plain)
        && !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
}

/// What a report may hold at the most.
pub(crate) fn check_report(report: &Report) -> Result<(), ApiError> {
    let too_long = report.logs.iter().flat_map(|batch| &batch.lines).find(|line| line.text.len() > MAX_ENTRY_BYTES);
    match too_long {
        Some(line) => {
            let detail = format!("log line {} holds {} bytes; cut lines at {MAX_ENTRY_BYTES}", line.n, line.text.len());
            Err(ApiError::new(ErrorCode::TooLarge, detail))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_its_folder_is_no_name() {
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "C:\\x", "a\\b", "a\nb", &"x".repeat(513)] {
            assert!(!is_plain_path(bad), "{bad:?}");
        }
        for good in ["hello.txt", "src/main.rs", "a b/ü.md", ".hidden"] {
            assert!(is_plain_path(good), "{good:?}");
        }
    }
}
