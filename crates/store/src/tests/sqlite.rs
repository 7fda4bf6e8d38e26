use std::time::Duration;

use super::suite::{HasStores, HasTasks};
use crate::task::TaskStore;
use crate::{DatabaseUrl, Holder, OpenOptions, Stores};

/// A store in a folder of its own.
pub(super) struct OnSqlite {
    pub(super) folder: tempfile::TempDir,
    stores: Stores,
}

impl OnSqlite {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = open_in(folder.path()).await;
        Self { folder, stores }
    }

    pub(super) async fn close(self) {
        self.stores.housekeeping.close().await.unwrap();
    }

    /// Closes it and leaves its files.
    pub(super) async fn stop(self) -> tempfile::TempDir {
        self.stores.housekeeping.close().await.unwrap();
        self.folder
    }
}

pub(super) fn options(folder: &std::path::Path) -> OpenOptions {
    let mut options = OpenOptions::new(Holder::this_process("here", "127.0.0.1:1"), folder.join("blobs"));
    options.busy_timeout = Duration::from_millis(200);
    options
}

pub(super) async fn open_in(folder: &std::path::Path) -> Stores {
    Stores::open(&DatabaseUrl::in_folder(folder), &options(folder)).await.unwrap()
}

impl HasTasks for OnSqlite {
    fn tasks(&self) -> &dyn TaskStore {
        &*self.stores.tasks
    }
}

impl HasStores for OnSqlite {
    fn stores(&self) -> &Stores {
        &self.stores
    }
}

async fn open() -> Option<OnSqlite> {
    Some(OnSqlite::new().await)
}

super::suite::store_suite!(super::open);
