//! What the layers below mean to a person who asked.

use std::time::Duration;

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use swarm_engine::CommandError;
use swarm_proto::ErrorCode;
use swarm_store::{Conflict, Outage, StoreError};

use super::ApiError;
use crate::dispatch::DispatchError;

/// After which time a busy or absent database is worth another try.
const STORE_PAUSE: Duration = Duration::from_secs(2);

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { entity } => Self::not_found(entity),
            StoreError::Conflict(conflict) => (*conflict).into(),
            StoreError::Unavailable { kind, .. } => unavailable(*kind).with_source(error),
            StoreError::TooLarge { limit } => {
                Self::new(ErrorCode::TooLarge, format!("At most {limit} bytes are kept."))
            }
            StoreError::WrongContent { .. } => {
                Self::invalid("The content does not have the hash that was announced: send it again.")
                    .with_source(error)
            }
            StoreError::Corrupt { .. }
            | StoreError::Encode(_)
            | StoreError::NewerSchema { .. }
            | StoreError::Locked { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::BadBackup { .. } => Self::internal(error),
        }
    }
}

fn unavailable(kind: Outage) -> ApiError {
    match kind {
        Outage::Full => ApiError::new(
            ErrorCode::DiskFull,
            "The disk of the coordinator is full. Nothing was changed: free some space there and try again.",
        ),
        Outage::Busy | Outage::Offline => ApiError::new(
            ErrorCode::StoreUnavailable,
            "The database does not answer. Nothing was changed: try again in a moment.",
        )
        .retry_after(STORE_PAUSE),
        Outage::Fault => ApiError::new(
            ErrorCode::StoreUnavailable,
            "The database failed. Nothing was changed: the coordinator's log has the cause.",
        )
        .retry_after(STORE_PAUSE),
    }
}

impl From<Conflict> for ApiError {
    fn from(conflict: Conflict) -> Self {
        let (code, detail) = match conflict {
            Conflict::StaleVersion => {
                (ErrorCode::VersionConflict, "It was changed in the meantime: read it again and repeat your change.")
            }
            Conflict::IdempotencyKey => {
                (ErrorCode::Conflict, "Another request with this idempotency key is under way: repeat yours.")
            }
            Conflict::Exists => (ErrorCode::Conflict, "It is already there."),
            Conflict::NotEnded => (ErrorCode::Conflict, "The task has not ended: cancel it first."),
            Conflict::UsernameTaken => (ErrorCode::NameTaken, "This name is taken: choose another one."),
            Conflict::EmailTaken => (ErrorCode::NameTaken, "This e-mail address belongs to another account."),
            Conflict::Owned => {
                (ErrorCode::SpentCredential, "This instance has an owner already: ask an admin for an invitation.")
            }
            Conflict::LastAdmin => {
                (ErrorCode::Conflict, "The last admin must stay: make somebody else an admin first.")
            }
            Conflict::KeySpent => {
                (ErrorCode::SpentCredential, "This key was revoked, has expired or is used up: make a new one.")
            }
            Conflict::InvitationSpent => {
                (ErrorCode::SpentCredential, "This invitation was used, has expired or was revoked: ask for a new one.")
            }
            Conflict::LinkSpent => {
                (ErrorCode::SpentCredential, "This link was used or has expired: ask for a new one.")
            }
            Conflict::OthersWorker => {
                (ErrorCode::Conflict, "This machine is enrolled for another person: its owner must remove it first.")
            }
        };
        Self::new(code, detail)
    }
}

impl From<DispatchError> for ApiError {
    fn from(error: DispatchError) -> Self {
        match &error {
            DispatchError::Store(store) => match &**store {
                StoreError::Conflict(conflict) => (*conflict).into(),
                StoreError::Unavailable { kind, .. } => unavailable(*kind).with_source(error),
                _ => Self::internal(error),
            },
            DispatchError::Command(command) => command_refused(command),
            DispatchError::UnknownWorker => {
                Self::new(ErrorCode::Conflict, "The worker is not connected: it must say hello or send a heartbeat first.")
            }
            DispatchError::TooManyWaiting { waiting, limit } => Self::new(
                ErrorCode::TooManyRequests,
                format!("{waiting} of your tasks are waiting already, and {limit} may wait at once: submit more when some are done."),
            )
            .retry_after(Duration::from_secs(5)),
            DispatchError::Stopping => {
                Self::new(ErrorCode::Unavailable, "The coordinator is stopping: try again in a moment.").retry_after(STORE_PAUSE)
            }
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match &rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Self::invalid("The body must be JSON: send it with `Content-Type: application/json`.")
            }
            JsonRejection::BytesRejection(_) => body_unread(rejection.status(), rejection.body_text()),
            _ => Self::invalid(rejection.body_text()),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        body_unread(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

fn body_unread(status: StatusCode, text: String) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(ErrorCode::TooLarge, "The body is larger than this coordinator allows (limits.body_bytes).")
    } else {
        ApiError::invalid(text)
    }
}

fn command_refused(error: &CommandError) -> ApiError {
    match error {
        CommandError::NotLive => {
            ApiError::new(ErrorCode::Conflict, "The task has ended: nothing about it can change any more.")
        }
        CommandError::NotIn(status) => {
            ApiError::new(ErrorCode::Conflict, format!("A task that is {status} cannot do this."))
        }
        CommandError::VersionConflict(version) => ApiError::new(
            ErrorCode::VersionConflict,
            format!(
                "The task was changed in the meantime and has version {version} now: read it again and repeat your change."
            ),
        ),
    }
}
