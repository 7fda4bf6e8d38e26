//! Opening a store: one database, and every trait over it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::artifact::ArtifactStore;
use crate::blobs::Blobs;
use crate::budget::BudgetStore;
use crate::error::StoreError;
use crate::holder::Holder;
use crate::housekeeping::Housekeeping;
use crate::people::PeopleStore;
use crate::sql::{Database, Settings, SqlStore};
use crate::task::TaskStore;
use crate::token::TokenStore;
use crate::url::DatabaseUrl;
use crate::worker::WorkerStore;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Who opens it.
    pub holder: Holder,
    /// Where the contents of artifacts are.
    pub blobs_dir: PathBuf,
    /// How long to wait for a lock that somebody else holds.
    pub busy_timeout: Duration,
    /// How many connections may read at once.
    pub readers: u32,
}

impl OpenOptions {
    /// The usual waits and numbers.
    pub fn new(holder: Holder, blobs_dir: impl Into<PathBuf>) -> Self {
        Self { holder, blobs_dir: blobs_dir.into(), busy_timeout: Duration::from_secs(5), readers: 4 }
    }
}

/// Everything that one database keeps.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Tasks.
    pub tasks: Arc<dyn TaskStore>,
    /// Workers.
    pub workers: Arc<dyn WorkerStore>,
    /// People and settings.
    pub people: Arc<dyn PeopleStore>,
    /// Budgets.
    pub budgets: Arc<dyn BudgetStore>,
    /// Credentials.
    pub tokens: Arc<dyn TokenStore>,
    /// Names of artifacts.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Contents of artifacts.
    pub blobs: Blobs,
    /// Retention, the audit, and the end.
    pub housekeeping: Arc<dyn Housekeeping>,
}

impl Stores {
    /// Opens a database, makes it this process's own and brings its schema up to date.
    pub async fn open(url: &DatabaseUrl, options: &OpenOptions) -> Result<Self, StoreError> {
        let settings =
            Settings { holder: options.holder.clone(), busy_timeout: options.busy_timeout, readers: options.readers };
        // The database first: whoever has its lock also has the folder of contents.
        let store = Arc::new(SqlStore { db: Database::open(url, &settings).await? });
        let blobs = Blobs::open(&options.blobs_dir).await?;
        Ok(Self::over(store, blobs))
    }

    pub(crate) fn over(store: Arc<SqlStore>, blobs: Blobs) -> Self {
        Self {
            tasks: store.clone(),
            workers: store.clone(),
            people: store.clone(),
            budgets: store.clone(),
            tokens: store.clone(),
            artifacts: store.clone(),
            housekeeping: store,
            blobs,
        }
    }
}
