use std::sync::atomic::AtomicI64;
use std::time::Duration;

use swarm_model::day::Day;
use swarm_model::invariants::check_tasks;
use swarm_model::task::Artifact;
use swarm_model::usage::UsageBy;
use swarm_model::{EventId, TaskNumber, TaskRef};

use super::HasStores;
use super::people::{later, newest, token, two_people};
use crate::artifact::NewArtifact;
use crate::housekeeping::{Retention, Swept};
use crate::people::UserChange;
use crate::task::EventScope;
use crate::tests::story::{START, Story, entry, together, user, worker};
use crate::token::TokenKind;
use crate::usage::UsageFilter;

const DAY: u64 = 24 * 60 * 60;

fn keep(days: u64) -> Retention {
    let days = Duration::from_secs(days * DAY);
    Retention { tasks: days, logs: days, events: days, audit: days, credentials: days }
}

pub(crate) async fn live_tasks_are_left_alone(backend: &impl HasStores) {
    let stores = backend.stores();
    let (tasks, events) = (&stores.tasks, AtomicI64::new(0));
    let mut live = Story::new(1, &events);
    for changes in [live.submit(), live.assign(worker(1)), live.run(), live.say(0, &["still here"])] {
        tasks.commit(&changes).await.unwrap();
    }
    // More than fit in one transaction of retention.
    let mut ended: Vec<Story<'_>> = (2..=450).map(|number| Story::new(number, &events)).collect();
    tasks.commit(&together(ended.iter().map(Story::submit))).await.unwrap();
    tasks.commit(&together(ended.iter_mut().map(Story::cancel))).await.unwrap();
    let mut young = Story::new(451, &events).at(later(20 * DAY));
    tasks.commit(&young.submit()).await.unwrap();
    tasks.commit(&young.cancel()).await.unwrap();

    let swept = stores.housekeeping.retain(&keep(10), later(9 * DAY)).await.unwrap();
    assert_eq!(swept, Swept::default(), "nothing is old yet");
    let swept = stores.housekeeping.retain(&keep(10), later(21 * DAY)).await.unwrap();
    assert_eq!((swept.tasks, swept.logs), (449, 0));
    let left: Vec<i64> = tasks.audit(TaskNumber(0), 1000).await.unwrap().iter().map(|task| task.number.0).collect();
    assert_eq!(left, [1, 451]);
    assert_eq!(tasks.log(TaskNumber(1), 0, 10).await.unwrap().entries.len(), 1);
    assert_eq!(tasks.attempts(TaskNumber(1)).await.unwrap().len(), 1);
    assert_eq!(tasks.load_live().await.unwrap().len(), 1);
    // What is live goes on as if nothing had happened.
    tasks.commit(&live.complete("done")).await.unwrap();
    assert_eq!(check_tasks(&tasks.audit(TaskNumber(0), 1000).await.unwrap()), []);
}

pub(crate) async fn logs_go_before_their_tasks_and_count_as_gone(backend: &impl HasStores) {
    let stores = backend.stores();
    let (tasks, events) = (&stores.tasks, AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in
        [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["a", "b"]), story.complete("done")]
    {
        tasks.commit(&changes).await.unwrap();
    }
    let retention = Retention { logs: Duration::from_secs(DAY), ..keep(10) };
    let swept = stores.housekeeping.retain(&retention, later(5 * DAY)).await.unwrap();
    assert_eq!((swept.tasks, swept.logs), (0, 1));
    let page = tasks.log(TaskNumber(1), 0, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.last_seq, page.oldest_seq), (0, 2, 3), "a reader can tell that they are gone");
    assert_eq!(tasks.task(TaskRef::Number(TaskNumber(1))).await.unwrap().unwrap().result.unwrap().text, "done");
    assert_eq!(check_tasks(&tasks.audit(TaskNumber(0), 10).await.unwrap()), []);
    let again = stores.housekeeping.retain(&retention, later(5 * DAY)).await.unwrap();
    assert_eq!(again, Swept::default());
}

pub(crate) async fn counting_goes_on_after_everything_is_removed(backend: &impl HasStores) {
    let stores = backend.stores();
    let (tasks, events) = (&stores.tasks, AtomicI64::new(0));
    let mut stories: Vec<Story<'_>> = (1..=3).map(|number| Story::new(number, &events)).collect();
    tasks.commit(&together(stories.iter().map(Story::submit))).await.unwrap();
    tasks.commit(&together(stories.iter_mut().map(Story::cancel))).await.unwrap();
    let before = tasks.counters().await.unwrap();
    let swept = stores.housekeeping.retain(&keep(1), later(100 * DAY)).await.unwrap();
    assert_eq!((swept.tasks, swept.events), (3, 5));
    assert_eq!(tasks.counters().await.unwrap(), before);
    let left = tasks.events_after(EventId(0), &EventScope::All, 10).await.unwrap();
    assert_eq!(left.iter().map(|event| event.id).collect::<Vec<_>>(), [before.last_event]);
    assert_eq!(tasks.oldest_event().await.unwrap(), Some(before.last_event));
}

pub(crate) async fn old_credentials_and_audit_go(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    stores.tokens.create_token(&token(1, TokenKind::Session, user(1)), &entry("signed_in")).await.unwrap();
    let mut lasting = token(2, TokenKind::Cli, user(1));
    lasting.expires_at = None;
    stores.tokens.create_token(&lasting, &entry("signed_in")).await.unwrap();
    let swept = stores.housekeeping.retain(&keep(1), later(5 * DAY)).await.unwrap();
    assert_eq!((swept.credentials, swept.audit), (1, 4));
    assert_eq!(stores.tokens.tokens_of(user(1), START).await.unwrap().len(), 1);
    assert_eq!(stores.housekeeping.audit_log(&newest(10)).await.unwrap(), []);
}

pub(crate) async fn artifacts_go_with_their_task(backend: &impl HasStores) {
    let stores = backend.stores();
    let (tasks, events) = (&stores.tasks, AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.run(), story.complete("done")] {
        tasks.commit(&changes).await.unwrap();
    }
    let mut content: &[u8] = b"a picture";
    let blob = stores.blobs.put(&mut content, 100, None).await.unwrap();
    let named = |name: &str, size| NewArtifact {
        number: TaskNumber(1),
        attempt: 1,
        artifact: Artifact { name: name.to_owned(), size, hash: blob.hash.clone() },
        created_at: START,
    };
    stores.artifacts.save_artifacts(&[named("b.png", 1), named("a.png", 9)]).await.unwrap();
    stores.artifacts.save_artifacts(&[named("b.png", 9)]).await.unwrap();
    let kept = stores.artifacts.artifacts(TaskNumber(1)).await.unwrap();
    let names: Vec<(&str, u64)> = kept.iter().map(|kept| (kept.artifact.name.as_str(), kept.artifact.size)).collect();
    assert_eq!(names, [("a.png", 9), ("b.png", 9)]);
    let unknown = "0".repeat(64);
    let named = stores.artifacts.named_hashes(&[blob.hash.clone(), unknown]).await.unwrap();
    assert_eq!(named, std::slice::from_ref(&blob.hash));

    let end_of_time = swarm_model::Timestamp::FAR_FUTURE;
    assert_eq!(stores.blobs.sweep(&*stores.artifacts, end_of_time).await.unwrap().files, 0);
    tasks.delete_task(TaskNumber(1), story.row.version, &entry("task_deleted")).await.unwrap();
    assert_eq!(stores.artifacts.artifacts(TaskNumber(1)).await.unwrap(), []);
    assert_eq!(stores.blobs.sweep(&*stores.artifacts, START).await.unwrap().files, 0, "too young");
    let swept = stores.blobs.sweep(&*stores.artifacts, end_of_time).await.unwrap();
    assert_eq!((swept.files, swept.bytes), (1, 9));
    assert!(stores.blobs.read(&blob.hash).await.is_err());
}

pub(crate) async fn sums_outlive_everything(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let (tasks, events) = (&stores.tasks, AtomicI64::new(0));
    let mut story = Story::new(1, &events).of(user(2));
    for changes in [story.submit(), story.assign(worker(1)), story.run(), story.complete("done")] {
        tasks.commit(&changes).await.unwrap();
    }
    let gone = UserChange { is_active: Some(false), ..UserChange::default() };
    stores.people.update_user(user(2), &gone, &entry("user_deactivated")).await.unwrap();
    assert_eq!(stores.housekeeping.retain(&keep(1), later(400 * DAY)).await.unwrap().tasks, 1);
    let filter = UsageFilter { by: [UsageBy::User].into(), ..UsageFilter::of_days(Day::of(START), Day::of(START)) };
    let used = tasks.usage(&filter).await.unwrap();
    assert_eq!((used[0].username.as_deref(), used[0].sums.runs), (Some("Ben"), 1));
}
