//! What must hold when the dust has settled.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use swarm_client::Client;
use swarm_model::change::AttemptStatus;
use swarm_model::invariants::check_tasks;
use swarm_model::log::LogStream;
use swarm_model::{TaskId, TaskNumber, TaskStatus};
use swarm_proto::tasks::ReadLog;
use swarm_store::{DatabaseUrl, Holder, OpenOptions, Stores};

use crate::swarm::LINES;

/// An acknowledged task ended once, with its whole log: nothing lost, nothing doubled.
pub(crate) async fn task(client: &Client, key: &str, id: TaskId) {
    let task = client.task(id).await.unwrap();
    assert_eq!(task.status, TaskStatus::Completed, "{key}: {:?} {:?}", task.failure_class, task.error);
    let attempts = client.task_attempts(id).await.unwrap().items;
    let completed: Vec<_> = attempts.iter().filter(|attempt| attempt.status == AttemptStatus::Completed).collect();
    assert_eq!(completed.len(), 1, "{key}");

    let log = client.task_log(id, &ReadLog { limit: Some(5_000), ..ReadLog::default() }).await.unwrap();
    assert!(log.complete, "{key}");
    let numbers: Vec<_> = log.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=log.entries.len() as u64).collect::<Vec<_>>(), "{key}: numbers without gaps");

    let expected: Vec<_> = (1..=LINES).map(|n| format!("{key} line {n}")).collect();
    let mut said: BTreeMap<u32, String> = BTreeMap::new();
    for entry in log.entries.iter().filter(|entry| entry.stream == LogStream::Stdout) {
        let text = said.entry(entry.attempt).or_default();
        text.push_str(entry.text.trim_end_matches('\n'));
        text.push('\n');
    }
    for (attempt, text) in &said {
        let lines: Vec<_> = text.lines().collect();
        if *attempt == completed[0].attempt {
            assert_eq!(lines, expected, "{key}: attempt {attempt} said everything once");
        } else {
            assert!(
                expected.iter().map(String::as_str).take(lines.len()).eq(lines.iter().copied()),
                "{key}: attempt {attempt}: {lines:?}"
            );
        }
    }
    assert!(said.contains_key(&completed[0].attempt), "{key}: the completed attempt has a log");
}

/// The invariants of every task in the store, no lease left, and every run in the sums once.
pub(crate) async fn store(data_dir: &Path) {
    let holder = Holder::this_process("here", "crash test");
    let url = DatabaseUrl::in_folder(data_dir);
    let stores = Stores::open(&url, &OpenOptions::new(holder, data_dir.join("blobs"))).await.unwrap();
    let mut after = TaskNumber(0);
    let mut audited = 0;
    loop {
        let tasks = stores.tasks.audit(after, 500).await.unwrap();
        let Some(last) = tasks.last() else { break };
        after = last.number;
        audited += tasks.len();
        assert_eq!(check_tasks(&tasks), []);
        let open = tasks.iter().filter(|task| !task.row.status.is_terminal()).count();
        assert_eq!(open, 0, "something never ended");
    }
    swarm_testkit::check_usage(&*stores.tasks).await.unwrap();
    println!("{audited} tasks audited");
    stores.housekeeping.close().await.unwrap();
}

/// No process of any task is left, also none that hid in a session of its own.
pub(crate) async fn no_process_with(tag: &str, patience: Duration) {
    let started = Instant::now();
    loop {
        let left = processes_with(tag);
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < patience, "left behind: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn processes_with(tag: &str) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let command_line =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.ok()?.path().join("cmdline")).ok();
    processes
        .filter_map(command_line)
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(tag))
        .collect()
}
