//! The names of files that runs left behind. Their contents are [`crate::blobs::Blobs`].

use async_trait::async_trait;
use swarm_model::task::Artifact;
use swarm_model::{TaskNumber, Timestamp};

use crate::error::StoreError;

/// Where the names of artifacts are kept.
#[async_trait]
pub trait ArtifactStore: Send + Sync + std::fmt::Debug {
    /// Keeps names whose contents are stored. The same name of the same attempt again replaces the earlier one.
    async fn save_artifacts(&self, artifacts: &[NewArtifact]) -> Result<(), StoreError>;

    /// The artifacts of a task, by attempt and name.
    async fn artifacts(&self, number: TaskNumber) -> Result<Vec<StoredArtifact>, StoreError>;

    /// Those of `hashes` that some row names.
    async fn named_hashes(&self, hashes: &[String]) -> Result<Vec<String>, StoreError>;
}

/// A name to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// Of which task.
    pub number: TaskNumber,
    /// Which attempt left it.
    pub attempt: u32,
    /// Name, size and hash.
    pub artifact: Artifact,
    /// When.
    pub created_at: Timestamp,
}

/// A name as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// Which attempt left it.
    pub attempt: u32,
    /// Name, size and hash.
    pub artifact: Artifact,
    /// When.
    pub created_at: Timestamp,
}
