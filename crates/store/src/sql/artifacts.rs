//! [`ArtifactStore`] in SQL.

use async_trait::async_trait;
use swarm_model::TaskNumber;
use swarm_model::task::Artifact;

use crate::artifact::{ArtifactStore, NewArtifact, StoredArtifact};
use crate::error::StoreError;
use crate::sql::SqlStore;
use crate::sql::row::Row;
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{args, array};

const SAVE: Statement = sql!("artifacts/save");
const OF_TASK: Statement = sql!("artifacts/of_task");
const NAMED: Statement = sql!("artifacts/named");

#[async_trait]
impl ArtifactStore for SqlStore {
    async fn save_artifacts(&self, artifacts: &[NewArtifact]) -> Result<(), StoreError> {
        if artifacts.is_empty() {
            return Ok(());
        }
        let rows = Rows::of(artifacts.iter().map(|NewArtifact { number, attempt, artifact, created_at }| {
            cells![*number, *attempt, &artifact.name, artifact.size, &artifact.hash, *created_at]
        }));
        let mut tx = self.db.begin().await?;
        tx.write(&SAVE, rows).await?;
        tx.commit().await
    }

    async fn artifacts(&self, number: TaskNumber) -> Result<Vec<StoredArtifact>, StoreError> {
        let artifact = |row: &Row| {
            let fields = row.of("artifacts", "name");
            let artifact =
                Artifact { name: fields.text("name")?, size: fields.count("size")?, hash: fields.text("hash")? };
            Ok(StoredArtifact { attempt: fields.count("attempt")?, artifact, created_at: fields.time("created_at")? })
        };
        self.db.read(&OF_TASK, args![number]).await?.iter().map(artifact).collect()
    }

    async fn named_hashes(&self, hashes: &[String]) -> Result<Vec<String>, StoreError> {
        let rows = self.db.read(&NAMED, vec![array(hashes)?]).await?;
        rows.iter().map(|row| row.of("artifacts", "hash").text("hash")).collect()
    }
}
