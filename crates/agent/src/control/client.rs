//! The other end of the local socket: what the command line and the app steer an agent in another process with.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use tokio_util::codec::Framed;

use super::place::connect;
use super::wire::{ControlReply, ControlRequest, from_line, replies, to_line};
use super::{AgentControl, ControlError};

/// How long an agent may take for an answer. Changing a setting is a write to the disk.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same for looking at all that it keeps, which may be many files.
const PATIENCE_WITH_DISK: Duration = Duration::from_mins(10);

/// Steers the agent of a data folder. Each request is a connection of its own.
#[derive(Debug, Clone)]
pub struct ControlClient {
    data_dir: PathBuf,
}

impl ControlClient {
    /// For the agent with this data folder, whether or not one runs.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into() }
    }

    /// The folder of the agent that is meant.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// How the agent stands now and whenever that changes, and what happens, until it is over.
    pub async fn watch(
        &self,
    ) -> Result<impl Stream<Item = Result<ControlReply, ControlError>> + Send + use<>, ControlError> {
        let lines = self.say(&ControlRequest::Watch).await?;
        Ok(lines.map(|line| understood(line.ok())))
    }

    async fn say(
        &self,
        request: &ControlRequest,
    ) -> Result<
        Framed<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + use<>, tokio_util::codec::LinesCodec>,
        ControlError,
    > {
        let stream = connect(&self.data_dir).await.map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ControlError::NotRunning { data_dir: self.data_dir.clone() }
            }
            _ => ControlError::Unreachable { data_dir: self.data_dir.clone(), source },
        })?;
        let mut lines = Framed::new(stream, replies());
        let line = to_line(request).map_err(|error| ControlError::Refused { message: error.to_string() })?;
        lines.send(line).await.map_err(|_| ControlError::Stopped)?;
        Ok(lines)
    }
}

#[async_trait]
impl AgentControl for ControlClient {
    async fn ask(&self, request: ControlRequest) -> Result<ControlReply, ControlError> {
        let asked = async {
            let mut lines = self.say(&request).await?;
            understood(lines.next().await.and_then(Result::ok))
        };
        let is_of_disk = matches!(request, ControlRequest::Disk { .. });
        let patience = if is_of_disk { PATIENCE_WITH_DISK } else { PATIENCE };
        tokio::time::timeout(patience, asked).await.unwrap_or(Err(ControlError::Silent))
    }
}

fn understood(line: Option<String>) -> Result<ControlReply, ControlError> {
    let line = line.ok_or(ControlError::Stopped)?;
    match from_line(&line) {
        Ok(ControlReply::Refused { message }) => Err(ControlError::Refused { message }),
        Ok(reply) => Ok(reply),
        Err(error) => Err(ControlError::Refused { message: error.to_string() }),
    }
}
