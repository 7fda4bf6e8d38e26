use std::sync::atomic::AtomicI64;

use swarm_model::TaskNumber;
use swarm_model::change::AppendLog;
use swarm_model::log::{LogLine, LogStream, MAX_ENTRY_BYTES};

use super::HasTasks;
use crate::error::StoreError;
use crate::tests::story::{START, Story, worker};

pub(crate) async fn pages_run_across_batches(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in
        [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["1", "2", "3"]), story.say(3, &["4"])]
    {
        store.commit(&changes).await.unwrap();
    }
    for changes in [story.lose(), story.assign(worker(2)), story.run(), story.say(0, &["5", "6"])] {
        store.commit(&changes).await.unwrap();
    }
    let page = async |after, limit| {
        let page = store.log(TaskNumber(1), after, limit).await.unwrap();
        assert_eq!((page.last_seq, page.oldest_seq), (6, 1));
        page.entries.iter().map(|entry| (entry.seq, entry.text.clone())).collect::<Vec<_>>()
    };
    let lines = |seqs: std::ops::RangeInclusive<u64>| seqs.map(|seq| (seq, seq.to_string())).collect::<Vec<_>>();
    assert_eq!(page(0, 10).await, lines(1..=6));
    assert_eq!(page(0, 2).await, lines(1..=2));
    assert_eq!(page(2, 3).await, lines(3..=5), "from the middle of one batch to the middle of another");
    assert_eq!(page(5, 10).await, lines(6..=6));
    assert_eq!(page(6, 10).await, []);
    assert_eq!(page(99, 10).await, []);
    assert_eq!(page(0, 0).await, []);
    let attempts: Vec<u32> =
        store.log(TaskNumber(1), 0, 10).await.unwrap().entries.iter().map(|entry| entry.attempt).collect();
    assert_eq!(attempts, [1, 1, 1, 1, 2, 2]);
}

pub(crate) async fn lines_come_back_whole(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.run()] {
        store.commit(&changes).await.unwrap();
    }
    let line = |n, stream, text: String, data| LogLine { n, stream, text, data, at: START };
    let lines = vec![
        line(1, LogStream::Stderr, "\0\u{fffd}\n\u{1b}[31mred".to_owned(), None),
        line(2, LogStream::ToolCall, "Bash".to_owned(), Some(serde_json::json!({"argv": ["ls", null, 1.5]}))),
        line(3, LogStream::Stdout, "x".repeat(MAX_ENTRY_BYTES), None),
    ];
    let mut changes = story.say(0, &["", "", ""]);
    changes.logs = vec![AppendLog { number: story.number(), attempt: 1, first_seq: 1, lines: lines.clone() }];
    store.commit(&changes).await.unwrap();
    let entries = store.log(TaskNumber(1), 0, 10).await.unwrap().entries;
    assert_eq!(entries.len(), 3);
    for (entry, line) in entries.iter().zip(&lines) {
        assert_eq!((entry.seq, entry.attempt, entry.stream, entry.at), (line.n, 1, line.stream, line.at));
        assert_eq!((&entry.text, &entry.data), (&line.text, &line.data));
    }
}

pub(crate) async fn a_restarted_coordinator_knows_which_lines_it_has(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in
        [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["1", "2"]), story.say(2, &["3"])]
    {
        store.commit(&changes).await.unwrap();
    }
    assert_eq!(store.load_live().await.unwrap()[0].log_received, 3);
    // A new attempt counts from the beginning again.
    for changes in [story.lose(), story.assign(worker(2))] {
        store.commit(&changes).await.unwrap();
    }
    assert_eq!(store.load_live().await.unwrap()[0].log_received, 0);
    for changes in [story.run(), story.say(0, &["4"])] {
        store.commit(&changes).await.unwrap();
    }
    assert_eq!(store.load_live().await.unwrap()[0].log_received, 1);
}

pub(crate) async fn an_unknown_task_has_no_log(backend: &impl HasTasks) {
    let unknown = backend.tasks().log(TaskNumber(1), 0, 10).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { entity: "task" })), "{unknown:?}");
}
