//! What a disk, a lock or a kill can do to the embedded store.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicI64;

use sqlx::{Connection as _, SqliteConnection};
use swarm_model::TaskNumber;
use swarm_model::invariants::check_tasks;

use super::sqlite::{OnSqlite, open_in, options};
use super::suite::{HasStores, HasTasks};
use crate::backup::{DATABASE_FILE, backup, restore};
use crate::error::{Outage, StoreError};
use crate::sql::{Database, Settings, SqlStore, Statement};
use crate::task::TaskStore as _;
use crate::tests::story::{START, Story, together, worker};
use crate::{DatabaseUrl, Holder, Stores};

fn outage(result: Result<(), StoreError>) -> Outage {
    match result {
        Err(StoreError::Unavailable { kind, .. }) => kind,
        other => panic!("an outage was due, and there was {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        holder: Holder::this_process("here", ""),
        busy_timeout: std::time::Duration::from_secs(1),
        readers: 1,
    };
    let store = SqlStore { db: Database::open(&DatabaseUrl::in_folder(folder.path()), &settings).await.unwrap() };
    let events = AtomicI64::new(0);
    store.commit(&Story::new(1, &events).submit()).await.unwrap();
    limit_pages(&store, "PRAGMA max_page_count = 1").await;

    let large = "x".repeat(1024 * 1024);
    let refused = Story::new(2, &events).says(&large);
    assert_eq!(outage(store.commit(&refused.submit()).await), Outage::Full);
    assert_eq!(outage(store.commit(&refused.submit()).await), Outage::Full);
    assert_eq!(store.counters().await.unwrap().last_number, TaskNumber(1), "nothing of it stays, and reading goes on");
    limit_pages(&store, "PRAGMA max_page_count = 1000000").await;
    store.commit(&refused.submit()).await.unwrap();
    store.db.close().await.unwrap();
}

/// The limit holds for the connection that writes.
async fn limit_pages(store: &SqlStore, pragma: &'static str) {
    let mut tx = store.db.begin().await.unwrap();
    tx.fetch(&Statement { sqlite: pragma, postgres: "" }, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_another_process_holds_is_said_and_passes() {
    let backend = OnSqlite::new().await;
    let events = AtomicI64::new(0);
    let url = format!("sqlite://{}", backend.folder.path().join(DATABASE_FILE).display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let story = Story::new(1, &events);
    assert_eq!(outage(backend.tasks().commit(&story.submit()).await), Outage::Busy);
    assert_eq!(backend.tasks().counters().await.unwrap().last_number, TaskNumber(0));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    backend.tasks().commit(&story.submit()).await.unwrap();
    backend.close().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_half_done() {
    let backend = OnSqlite::new().await;
    let tasks = &backend.stores().tasks;
    let events = AtomicI64::new(0);
    for number in 1..=40 {
        let story = Story::new(number, &events);
        let changes = together([story.submit()]);
        let mut commit = tasks.commit(&changes);
        // Polled a few times and dropped, at another point each time.
        for _ in 0..number {
            if futures_util::poll!(&mut commit).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let mut last = Story::new(100, &events);
    tasks.commit(&last.submit()).await.unwrap();
    tasks.commit(&last.cancel()).await.unwrap();
    let audited = tasks.audit(TaskNumber(0), 1000).await.unwrap();
    assert_eq!(check_tasks(&audited), []);
    assert_eq!(audited.last().unwrap().number, TaskNumber(100));
    backend.close().await;
}

#[tokio::test]
async fn a_second_coordinator_is_told_who_has_the_file() {
    let backend = OnSqlite::new().await;
    let folder = backend.folder.path();
    let met = Stores::open(&DatabaseUrl::in_folder(folder), &options(folder)).await.unwrap_err();
    assert!(matches!(&met, StoreError::Locked { holder } if holder.address == "127.0.0.1:1"), "{met}");
    let source = tempfile::tempdir().unwrap();
    backup(folder, &source.path().join("copy"), START).await.unwrap();
    let restored = restore(&source.path().join("copy"), folder, true, &Holder::default()).await.unwrap_err();
    assert!(matches!(restored, StoreError::Locked { .. }), "{restored}");
    backend.close().await;
}

const CHILD: &str = "GARAGESWARM_STORE_CHILD";

/// Not a test of its own: the process that `an_acknowledged_commit_survives_kill` starts and kills.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let stores = open_in(folder.as_ref()).await;
    let counters = stores.tasks.counters().await.unwrap();
    let events = AtomicI64::new(counters.last_event.0);
    for number in counters.last_number.0 + 1.. {
        let mut story = Story::new(number, &events);
        for changes in
            [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["a", "b"]), story.complete("done")]
        {
            stores.tasks.commit(&changes).await.unwrap();
            println!("acknowledged {number} {}", changes.updates.first().map_or(1, |update| update.row.version));
        }
    }
}

#[tokio::test]
async fn an_acknowledged_commit_survives_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        let name = format!("{}::child_that_writes_until_it_is_killed", module_path!().split_once("::").unwrap().1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = (0, 0);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: Result<String, std::io::Error>| {
            let line = line.unwrap();
            if let Some((number, version)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')) {
                acknowledged = (number.parse::<i64>().unwrap(), version.parse::<i64>().unwrap());
            }
        };
        lines.by_ref().take(30 * round).for_each(&mut note);
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(&mut note);
        assert!(acknowledged.0 > 0, "the child wrote nothing");

        let stores = open_in(folder.path()).await;
        let mut audited = stores.tasks.audit(TaskNumber(0), 100_000).await.unwrap();
        assert_eq!(check_tasks(&audited), []);
        let last = audited.pop().unwrap();
        assert!(
            (last.number.0, last.row.version) >= acknowledged,
            "{acknowledged:?} was acknowledged, {last:?} is there"
        );
        assert!(audited.iter().all(|task| task.row.status.is_terminal() || task.row.version < 5));
        stores.housekeeping.close().await.unwrap();
    }
}
