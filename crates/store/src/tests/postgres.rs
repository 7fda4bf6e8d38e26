use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::suite::usage::{BACK_TO_VERSION_2, an_eventful_history, by_everything};
use super::suite::{HasStores, HasTasks};
use crate::error::StoreError;
use crate::task::TaskStore;
use crate::tests::story::Story;
use crate::{DatabaseUrl, Holder, Outage, Stores};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A store in a schema of its own on the server that `GARAGESWARM_TEST_POSTGRES` names.
pub(super) struct OnPostgres {
    folder: tempfile::TempDir,
    server: String,
    schema: String,
    stores: Stores,
}

pub(super) fn server() -> Option<String> {
    let server = std::env::var("GARAGESWARM_TEST_POSTGRES").ok();
    if server.is_none() {
        println!("left out: PostgreSQL (set GARAGESWARM_TEST_POSTGRES)");
    }
    server
}

async fn run(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl OnPostgres {
    pub(super) async fn new(server: String) -> Self {
        let schema = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(&server, format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")).await;
        let folder = tempfile::tempdir().unwrap();
        let stores = Stores::open(&url(&server, &schema), &super::sqlite::options(folder.path())).await.unwrap();
        Self { folder, server, schema, stores }
    }

    pub(super) fn url(&self) -> DatabaseUrl {
        url(&self.server, &self.schema)
    }

    pub(super) async fn close(self) {
        self.stores.housekeeping.close().await.unwrap();
        run(&self.server, format!("DROP SCHEMA {} CASCADE", self.schema)).await;
    }
}

fn url(server: &str, schema: &str) -> DatabaseUrl {
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}options[search_path]={schema}").parse().unwrap()
}

impl HasTasks for OnPostgres {
    fn tasks(&self) -> &dyn TaskStore {
        &*self.stores.tasks
    }
}

impl HasStores for OnPostgres {
    fn stores(&self) -> &Stores {
        &self.stores
    }
}

async fn open() -> Option<OnPostgres> {
    Some(OnPostgres::new(server()?).await)
}

super::suite::store_suite!(super::open);

#[tokio::test]
async fn a_second_coordinator_is_told_who_has_the_database() {
    let Some(backend) = open().await else { return };
    let mut options = super::sqlite::options(backend.folder.path());
    options.holder = Holder::this_process("elsewhere", "");
    let met = Stores::open(&backend.url(), &options).await.unwrap_err();
    assert!(
        matches!(&met, StoreError::Locked { holder } if holder.host == "here" && holder.address == "127.0.0.1:1"),
        "{met}"
    );
    backend.stores.housekeeping.close().await.unwrap();
    let next = Stores::open(&backend.url(), &options).await.unwrap();
    next.housekeeping.close().await.unwrap();
}

#[tokio::test]
async fn what_was_used_before_there_were_sums_is_in_them() {
    let Some(backend) = open().await else { return };
    let before = an_eventful_history(backend.tasks()).await;
    assert!(before.len() > 10, "{before:?}");
    backend.stores.housekeeping.close().await.unwrap();
    run(&backend.server, format!("SET search_path = {}; {BACK_TO_VERSION_2}", backend.schema)).await;

    let options = super::sqlite::options(backend.folder.path());
    let stores = Stores::open(&backend.url(), &options).await.unwrap();
    assert_eq!(by_everything(&*stores.tasks).await, before);
    stores.housekeeping.close().await.unwrap();
    backend.close().await;
}

/// The session of the writer dies, as when the server is restarted: the writer comes back with its lock.
#[tokio::test]
async fn a_lost_session_comes_back() {
    let Some(backend) = open().await else { return };
    let events = std::sync::atomic::AtomicI64::new(0);
    backend.tasks().commit(&Story::new(1, &events).submit()).await.unwrap();
    let session = "garageswarm%127.0.0.1:1";
    let terminate = "SELECT pg_terminate_backend(activity.pid) FROM pg_stat_activity AS activity JOIN pg_locks AS held ON held.pid = activity.pid \
        WHERE held.locktype = 'advisory' AND activity.application_name LIKE";
    let key = format!(
        "((held.classid::bigint << 32) | held.objid::bigint) = hashtextextended('garageswarm {}', 0)",
        backend.schema
    );
    run(&backend.server, format!("{terminate} '{session}' AND {key}")).await;
    // The session may go while a commit is under way; the next one must find a new session.
    let first = backend.tasks().commit(&Story::new(2, &events).submit()).await;
    if let Err(error) = first {
        assert!(matches!(error, StoreError::Unavailable { kind: Outage::Offline, .. }), "{error}");
        backend.tasks().commit(&Story::new(3, &events).submit()).await.unwrap();
    }
    let met = Stores::open(&backend.url(), &super::sqlite::options(backend.folder.path())).await.unwrap_err();
    assert!(matches!(met, StoreError::Locked { .. }), "the lock came back with the session: {met}");
    backend.close().await;
}
