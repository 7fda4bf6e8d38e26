//! Files that runs left behind. They are only ever downloaded, never shown as a page of ours.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use swarm_model::rights::Operation;
use swarm_proto::tasks::TaskArtifact;
use swarm_proto::{API_PREFIX, ErrorCode, Page};
use tokio_util::io::ReaderStream;

use super::load;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// The files of a task, by attempt and name.
#[utoipa::path(get, path = "/tasks/{id}/artifacts", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 200, body = Page<TaskArtifact>)))]
pub(super) async fn list_artifacts(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Json<Page<TaskArtifact>>, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let stored = state.stores.artifacts.artifacts(task.head.number).await?;
    let to_wire = |stored: swarm_store::artifact::StoredArtifact| TaskArtifact {
        attempt: stored.attempt,
        url: format!("{API_PREFIX}/tasks/{}/artifacts/{}", task.head.task_id, stored.artifact.hash),
        name: stored.artifact.name,
        size: stored.artifact.size,
        hash: stored.artifact.hash,
    };
    Ok(Json(Page::whole(stored.into_iter().map(to_wire).collect())))
}

/// One file of a task, by the hash of its content.
#[utoipa::path(get, path = "/tasks/{id}/artifacts/{hash}", tag = "tasks",
    params(("id" = String, Path, description = "Id or number"), ("hash" = String, Path, description = "BLAKE3 in hexadecimal")),
    responses((status = 200, description = "The content", content_type = "application/octet-stream")))]
pub(super) async fn get_artifact(
    State(state): State<AppState>,
    identity: Identity,
    Path((id, hash)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let task = load(&state, &identity, Operation::ReadTask, &id).await?;
    let absent = || ApiError::new(ErrorCode::NotFound, "the task has no such artifact");
    let stored = state.stores.artifacts.artifacts(task.head.number).await?;
    let found = stored.into_iter().find(|stored| stored.artifact.hash == hash).ok_or_else(absent)?;
    let (file, _) = state.stores.blobs.read(&hash).await?;
    let name = found.artifact.name.rsplit('/').next().unwrap_or("artifact");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(found.artifact.size)),
        (header::CONTENT_DISPOSITION, disposition(name)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// `attachment` with the name as RFC 6266 wants it: everything but plain characters percent-encoded.
fn disposition(name: &str) -> HeaderValue {
    let encode = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let encoded: String = name.bytes().map(encode).collect();
    HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{encoded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(disposition("a\"; evil\r\n.txt"), "attachment; filename*=UTF-8''a%22%3B%20evil%0D%0A.txt");
    }
}
