use std::sync::atomic::AtomicI64;

use super::*;
use crate::artifact::NewArtifact;
use crate::tests::story::{START, Story, worker};
use crate::{DatabaseUrl, OpenOptions, Stores, UsageFilter};
use swarm_model::TaskNumber;
use swarm_model::day::Day;
use swarm_model::task::Artifact;

async fn open(folder: &Path) -> Stores {
    let options = OpenOptions::new(Holder::this_process("here", ""), folder.join(BLOBS_DIR));
    Stores::open(&DatabaseUrl::in_folder(folder), &options).await.unwrap()
}

/// A store with one task done, and a picture that it left.
async fn store_with_a_task(folder: &Path) -> (Stores, String) {
    let stores = open(folder).await;
    let events = AtomicI64::new(0);
    let mut story = Story::new(1, &events);
    for changes in
        [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["line"]), story.complete("done")]
    {
        stores.tasks.commit(&changes).await.unwrap();
    }
    let mut picture: &[u8] = b"a picture";
    let blob = stores.blobs.put(&mut picture, 100, None).await.unwrap();
    let artifact = Artifact { name: "p.png".to_owned(), size: blob.size, hash: blob.hash.clone() };
    let named = NewArtifact { number: TaskNumber(1), attempt: 1, artifact, created_at: START };
    stores.artifacts.save_artifacts(&[named]).await.unwrap();
    (stores, blob.hash)
}

#[tokio::test]
async fn a_backup_made_while_it_runs_is_restored_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy, fresh) = (folder.path().join("data"), folder.path().join("copy"), folder.path().join("fresh"));
    std::fs::create_dir(&data).unwrap();
    let (stores, hash) = store_with_a_task(&data).await;
    let made = backup(&data, &copy, START).await.unwrap();
    assert_eq!((made.schema_version, made.made_at, made.blobs.len()), (SCHEMA_VERSION, START, 1));
    // What comes later is not in it.
    let events = AtomicI64::new(100);
    stores.tasks.commit(&Story::new(2, &events).submit()).await.unwrap();
    stores.housekeeping.close().await.unwrap();

    assert_eq!(restore(&copy, &fresh, false, &Holder::default()).await.unwrap(), made);
    let restored = open(&fresh).await;
    assert_eq!(restored.tasks.counters().await.unwrap().last_number, TaskNumber(1));
    assert_eq!(restored.tasks.log(TaskNumber(1), 0, 10).await.unwrap().entries.len(), 1);
    let used = restored.tasks.usage(&UsageFilter::of_days(Day::of(START), Day::of(START))).await.unwrap();
    assert_eq!(used[0].sums.runs, 1, "sums come back too");
    assert_eq!(restored.blobs.read(&hash).await.unwrap().1, 9);
    restored.housekeeping.close().await.unwrap();
}

#[tokio::test]
async fn a_store_is_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    std::fs::create_dir(&data).unwrap();
    let (stores, _) = store_with_a_task(&data).await;
    backup(&data, &copy, START).await.unwrap();
    assert!(matches!(backup(&data, &copy, START).await, Err(StoreError::NotEmpty { .. })));
    let events = AtomicI64::new(100);
    stores.tasks.commit(&Story::new(2, &events).submit()).await.unwrap();
    // As after a kill: what was committed stands in the log beside the file.
    let log = std::fs::read(with_suffix(&data.join(DATABASE_FILE), "-wal")).unwrap();
    stores.housekeeping.close().await.unwrap();
    std::fs::write(with_suffix(&data.join(DATABASE_FILE), "-wal"), log).unwrap();

    let refused = restore(&copy, &data, false, &Holder::default()).await;
    assert!(matches!(refused, Err(StoreError::NotEmpty { .. })), "{refused:?}");
    restore(&copy, &data, true, &Holder::default()).await.unwrap();
    let restored = open(&data).await;
    assert_eq!(restored.tasks.counters().await.unwrap().last_number, TaskNumber(1));
    restored.housekeeping.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy, fresh) = (folder.path().join("data"), folder.path().join("copy"), folder.path().join("fresh"));
    std::fs::create_dir(&data).unwrap();
    let (stores, hash) = store_with_a_task(&data).await;
    backup(&data, &copy, START).await.unwrap();
    stores.housekeeping.close().await.unwrap();

    let picture = blob_path(&copy.join(BLOBS_DIR), &hash);
    std::fs::write(&picture, b"another!!").unwrap();
    let refused = restore(&copy, &fresh, false, &Holder::default()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::BadBackup { reason } if reason.ends_with("was changed")), "{refused}");
    std::fs::remove_file(&picture).unwrap();
    let refused = verify(&copy).await.unwrap_err();
    assert!(matches!(&refused, StoreError::BadBackup { reason } if reason.ends_with("is missing")), "{refused}");
    std::fs::remove_file(copy.join(MANIFEST_FILE)).unwrap();
    assert!(matches!(verify(&copy).await, Err(StoreError::BadBackup { .. })));
    assert!(!fresh.exists());
    assert!(matches!(backup(&fresh, &copy, START).await, Err(StoreError::NotFound { entity: "database" })));
}
