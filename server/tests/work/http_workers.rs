use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::{Method, StatusCode, header};
use swarm_model::change::AttemptStatus;
use swarm_model::log::MAX_ENTRY_BYTES;
use swarm_model::task::TaskInput;
use swarm_model::worker::AttemptRef;
use swarm_model::{TaskRef, TaskStatus};
use swarm_proto::tasks::{CreateTask, CreateTasks, ListTasks, ReadLog};
use swarm_proto::workers::PullTask;
use swarm_testkit::{TestCoordinator, eventually};

use crate::support::{accepted, done, heartbeat, line, prompt, pull, said};

#[tokio::test]
async fn a_pull_gives_the_same_task_until_it_is_answered() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    worker.heartbeat(&heartbeat(&[])).await?;
    assert_eq!(pull(worker).await?, None);
    ann.create_task(&prompt("one")).await?;
    let first = pull(worker).await?.context("a task")?;
    assert_eq!(pull(worker).await?, Some(first.clone()), "asked again, the same one");
    worker.report(&accepted(first.attempt_ref())).await?;
    assert_eq!(pull(worker).await?, None);
    let reply = worker.report(&said(first.attempt_ref(), vec![line(1, "a"), line(2, "b")])).await?;
    assert_eq!(reply.logs[0].received, 2);
    let reply = worker.report(&done(first.attempt_ref(), "all done")).await?;
    assert_eq!(reply.results, [first.attempt_ref()]);
    let task = ann.task(first.task_id).await?;
    assert_eq!((task.status, task.result.context("a result")?.text.as_str()), (TaskStatus::Completed, "all done"));
    test.finish().await
}

#[tokio::test]
async fn a_waiting_pull_is_answered_by_a_submission() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let worker = test.worker("script").clone();
    worker.heartbeat(&heartbeat(&[])).await?;
    let waiting = tokio::spawn(async move { worker.pull_task(PullTask { wait_ms: 20_000 }).await });
    let task = test.user("ann").client.create_task(&prompt("one")).await?;
    let pulled = waiting.await??.task.context("a task")?;
    assert_eq!(pulled.task_id, task.task_id);
    test.worker("script").report(&done(pulled.attempt_ref(), "ok")).await?;
    test.finish().await
}

#[tokio::test]
async fn two_workers_that_race_share_the_tasks_and_double_none() -> Result<()> {
    const TASKS: usize = 60;
    let test = TestCoordinator::builder().with_user("ann").with_worker("left").with_worker("right").build().await?;
    let ann = &test.user("ann").client;
    ann.create_tasks(&CreateTasks { tasks: vec![prompt("race"); TASKS] }).await?;
    let mut racers = tokio::task::JoinSet::new();
    for name in ["left", "right"] {
        let worker = test.worker(name).clone();
        racers.spawn(async move {
            worker.heartbeat(&heartbeat(&[])).await?;
            let mut mine = Vec::new();
            while let Some(task) = pull(&worker).await? {
                let report = swarm_proto::worker::Report {
                    accepted: vec![task.attempt_ref()],
                    ..done(task.attempt_ref(), "ok")
                };
                worker.report(&report).await?;
                mine.push(task.number.0);
            }
            anyhow::Ok(mine)
        });
    }
    let mut all = Vec::new();
    while let Some(mine) = racers.join_next().await {
        let mine = mine??;
        assert!(!mine.is_empty(), "both get something");
        all.extend(mine);
    }
    all.sort_unstable();
    assert_eq!(all, (1..=TASKS as i64).collect::<Vec<_>>(), "each once");
    let completed = ListTasks { status: Some("completed".to_owned()), limit: Some(500), ..ListTasks::default() };
    assert_eq!(ann.tasks(&completed).await?.items.len(), TASKS);
    test.finish().await
}

#[tokio::test]
async fn a_worker_that_was_declared_lost_changes_nothing_any_more() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("first").with_worker("second").build().await?;
    let ann = &test.user("ann").client;
    let (first, second) = (test.worker("first"), test.worker("second"));
    let task = ann.create_task(&prompt("slow")).await?;
    first.heartbeat(&heartbeat(&[])).await?;
    let old = pull(first).await?.context("a task")?.attempt_ref();
    first.report(&accepted(old)).await?;
    // The lease of an HTTP worker lives for 60 s; the back-off after a loss is 1 s.
    test.advance(Duration::from_secs(61)).await?;
    test.advance(Duration::from_secs(2)).await?;
    second.heartbeat(&heartbeat(&[])).await?;
    let new = pull(second).await?.context("it is given out again")?.attempt_ref();
    assert_eq!(new, AttemptRef { attempt: 2, ..old });

    let reply = first.report(&said(old, vec![line(1, "from the past")])).await?;
    assert_eq!(reply.stale, [old]);
    let reply = first.report(&done(old, "too late")).await?;
    assert_eq!(reply.results, [old], "it may be forgotten");
    let reply = first.heartbeat(&heartbeat(&[old])).await?;
    assert_eq!(reply.stale, [old]);
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Assigned);

    let forged = AttemptRef { attempt: 2, ..old };
    first.report(&done(forged, "forged")).await?;
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Assigned, "another worker's attempt");

    second.report(&done(new, "in time")).await?;
    second.report(&done(new, "twice")).await?;
    let task = ann.task(task.task_id).await?;
    assert_eq!(task.result.context("a result")?.text, "in time");
    let attempts = ann.task_attempts(task.task_id).await?.items;
    let states: Vec<_> = attempts.iter().map(|attempt| (attempt.status, attempt.has_late_result)).collect();
    assert_eq!(states, [(AttemptStatus::Lost, true), (AttemptStatus::Completed, false)], "kept as evidence, once");
    test.finish().await
}

#[tokio::test]
async fn a_cancel_comes_with_the_heartbeat() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    let task = ann.create_task(&prompt("long")).await?;
    worker.heartbeat(&heartbeat(&[])).await?;
    let attempt = pull(worker).await?.context("a task")?.attempt_ref();
    worker.report(&accepted(attempt)).await?;
    assert!(ann.cancel_task(task.task_id).await?.cancel_requested_at.is_some());
    assert_eq!(worker.heartbeat(&heartbeat(&[attempt])).await?.cancel, [attempt]);
    let outcome = swarm_model::task::Outcome::Cancelled { partial: None };
    let result = swarm_proto::worker::AttemptResult { attempt, outcome, record: Default::default() };
    worker.report(&swarm_proto::worker::Report { results: vec![result], ..Default::default() }).await?;
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Cancelled);
    test.finish().await
}

#[tokio::test]
async fn a_paused_swarm_hands_nothing_out_until_it_is_resumed() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    ann.pause_swarm().await?;
    ann.create_task(&prompt("later")).await?;
    assert!(worker.heartbeat(&heartbeat(&[])).await?.paused);
    assert_eq!(pull(worker).await?, None);
    ann.resume_swarm().await?;
    let task = pull(worker).await?.context("a task")?;
    worker.report(&done(task.attempt_ref(), "ok")).await?;
    test.finish().await
}

#[tokio::test]
async fn nobody_speaks_for_a_worker_but_itself() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("left").with_worker("right").build().await?;
    let left = test.worker("left").worker_id();
    let admin = &test.user("ann").token;
    for (method, path) in [(Method::POST, "heartbeat"), (Method::GET, "pull-task"), (Method::POST, "report")] {
        let path = format!("/api/v1/workers/{left}/{path}");
        let body = serde_json::json!({"boot_id": left, "running": []});
        let stranger = test.request(method.clone(), &path).json(&body).send().await;
        assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{path}");
        let person = test.request(method.clone(), &path).bearer(admin).json(&body).send().await;
        assert_eq!(person.status, StatusCode::FORBIDDEN, "{path}: a person is not a worker");
    }
    let right_as_left = test.remote()?.worker(left, "gs_worker_0000");
    assert!(right_as_left.heartbeat(&heartbeat(&[])).await.is_err());
    test.finish().await
}

#[tokio::test]
async fn artifacts_are_kept_by_their_hash_and_only_downloaded() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    let task = ann.create_task(&prompt("write a page")).await?;
    worker.heartbeat(&heartbeat(&[])).await?;
    let attempt = pull(worker).await?.context("a task")?.attempt_ref();
    worker.report(&accepted(attempt)).await?;
    let page = "<script>alert(1)</script>";
    let stored = worker.upload_artifact(attempt, "out/page.html", page).await?;
    assert_eq!((stored.name.as_str(), stored.size), ("out/page.html", page.len() as u64));
    worker.report(&done(attempt, "ok")).await?;
    let late = worker.upload_artifact(attempt, "late.txt", "x").await;
    assert!(late.is_err(), "the lease is gone");

    let listed = ann.task_artifacts(task.task_id).await?.items;
    assert_eq!(listed.len(), 1);
    let answer = test.get(&listed[0].url).bearer(&test.user("ann").token).send().await;
    assert_eq!(answer.body, page.as_bytes());
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename*=UTF-8''page.html"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ] {
        assert_eq!(answer.headers.get(&name).map(|value| value.to_str().unwrap_or_default()), Some(value), "{name}");
    }
    test.finish().await
}

#[tokio::test]
async fn ten_megabytes_of_log_are_kept_whole_and_read_in_pages() -> Result<()> {
    const LINES: u64 = 640;
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    let task = ann.create_task(&prompt("talk")).await?;
    worker.heartbeat(&heartbeat(&[])).await?;
    let attempt = pull(worker).await?.context("a task")?.attempt_ref();
    worker.report(&accepted(attempt)).await?;
    let text = "x".repeat(MAX_ENTRY_BYTES);
    for first in (1..=LINES).step_by(128) {
        let lines = (first..first + 128).map(|n| line(n, &text)).collect();
        worker.report(&said(attempt, lines)).await?;
    }
    let too_long = said(attempt, vec![line(LINES + 1, &"x".repeat(MAX_ENTRY_BYTES + 1))]);
    assert!(worker.report(&too_long).await.is_err());
    worker.report(&done(attempt, "ok")).await?;
    let mut after = 0;
    loop {
        let page = ann.task_log(task.task_id, &ReadLog { after, ..ReadLog::default() }).await?;
        for entry in &page.entries {
            assert_eq!((entry.seq, entry.text.len()), (after + 1, MAX_ENTRY_BYTES));
            after = entry.seq;
        }
        if page.complete {
            break;
        }
    }
    assert_eq!(after, LINES);
    test.finish().await
}

/// The example in the documents is a whole worker.
#[tokio::test]
async fn the_example_script_is_a_worker() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        println!("left out: the example worker (python3 is not here)");
        return test.finish().await;
    }
    let ann = &test.user("ann");
    let folder = tempfile::tempdir()?;
    let key = test.state().create_local_worker_key(ann.user_id).await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/http_worker.py");
    let key_file = folder.path().join("worker.key");
    std::fs::write(&key_file, key)?;
    let mut worker = std::process::Command::new("python3")
        .args([script, &test.url(), "--name", "example", "--key-file"])
        .arg(&key_file)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()?;
    let command = |argv: &[&str]| CreateTask {
        tool: "command".parse().ok(),
        input: Some(TaskInput::Command {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            stdin: None,
            env: BTreeMap::new(),
        }),
        ..CreateTask::default()
    };
    let good = ann.client.create_task(&command(&["sh", "-c", "echo one; echo two"])).await?;
    let bad = ann
        .client
        .create_task(&CreateTask {
            retry: Some(swarm_model::task::RetryPolicy { max_attempts: 1, ..Default::default() }),
            ..command(&["sh", "-c", "exit 3"])
        })
        .await?;
    let ended = |number| {
        let client = ann.client.clone();
        async move { client.task(TaskRef::Number(number)).await.ok().filter(|task| task.status.is_terminal()) }
    };
    let patience = Duration::from_secs(60);
    let good = eventually(&test.state().hub, patience, "the good command ends", || ended(good.number)).await;
    let bad = eventually(&test.state().hub, patience, "the bad command ends", || ended(bad.number)).await;
    worker.kill()?;
    worker.wait()?;
    assert_eq!((good.status, bad.status), (TaskStatus::Completed, TaskStatus::Failed));
    let log = ann.client.task_log(good.task_id, &ReadLog::default()).await?;
    let text: String = log.entries.iter().map(|entry| entry.text.trim_end().to_owned() + "|").collect();
    assert_eq!(text, "one|two|");
    test.finish().await
}
