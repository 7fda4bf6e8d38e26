use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use swarm_model::TaskStatus;
use swarm_proto::tasks::ReadLog;
use swarm_proto::worker::{Hello, Report, ToCoordinator, ToWorker};
use swarm_testkit::{TestCoordinator, eventually};

use crate::support::{accepted, assigned, done, hello, join, line, prompt, said};

const PATIENCE: Duration = Duration::from_secs(20);

async fn closes(mut socket: swarm_client::WorkerSocket) -> bool {
    let until_closed = async { while socket.next().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, until_closed).await.is_ok()
}

#[tokio::test]
async fn a_task_goes_down_the_socket_and_its_result_comes_back() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let ann = &test.user("ann").client;
    let (mut socket, welcome) = join(test.worker("attic"), &[]).await?;
    assert!(matches!(welcome, ToWorker::Welcome { .. }), "{welcome:?}");
    let task = ann.create_task(&prompt("hello")).await?;
    assert_eq!(task.status, TaskStatus::Assigned, "claimed in the commit that submits");
    let assignment = assigned(&mut socket).await?;
    assert!(assignment.by_owner);
    let attempt = assignment.attempt_ref();
    let report = Report { accepted: vec![attempt], ..said(attempt, vec![line(1, "hi")]) };
    socket.send(&ToCoordinator::Report(report)).await?;
    socket.send(&ToCoordinator::Report(done(attempt, "bye"))).await?;
    let mut stored = (0, 0);
    while stored != (1, 1) {
        let ToWorker::Ack(reply) = socket.next().await? else { bail!("only acknowledgements are due") };
        stored.0 += reply.logs.len();
        stored.1 += reply.results.len();
    }
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Completed);
    test.finish().await
}

#[tokio::test]
async fn a_torn_socket_loses_nothing_and_doubles_nothing() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&prompt("hello")).await?;
    let (mut socket, _) = join(test.worker("attic"), &[]).await?;
    let attempt = assigned(&mut socket).await?.attempt_ref();
    socket.send(&ToCoordinator::Report(accepted(attempt))).await?;
    socket.send(&ToCoordinator::Report(said(attempt, vec![line(1, "a"), line(2, "b")]))).await?;
    while !matches!(socket.next().await?, ToWorker::Ack(reply) if !reply.logs.is_empty()) {}
    drop(socket);

    let (mut socket, welcome) = join(test.worker("attic"), &[attempt]).await?;
    let ToWorker::Welcome { logs, stale, .. } = welcome else { bail!("no welcome") };
    assert_eq!((logs[0].received, stale.len()), (2, 0), "only the rest is sent again");
    socket.send(&ToCoordinator::Report(said(attempt, vec![line(2, "b"), line(3, "c")]))).await?;
    socket.send(&ToCoordinator::Report(done(attempt, "ok"))).await?;
    while !matches!(socket.next().await?, ToWorker::Ack(reply) if !reply.results.is_empty()) {}
    let log = ann.task_log(task.task_id, &ReadLog::default()).await?;
    let text: Vec<_> = log.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(text, ["a", "b", "c"]);
    test.finish().await
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_closes_the_socket_and_an_unknown_one_does_not() -> Result<()> {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    let mut test = TestCoordinator::builder().with_user("ann").build().await?;
    let key = test.state().create_local_worker_key(test.user("ann").user_id).await?;
    let machine = swarm_proto::workers::RegisterWorker {
        machine_id: "raw".to_owned(),
        machine_name: "raw".to_owned(),
        capabilities: swarm_testkit::coordinator::capabilities(1, &["demo"]),
    };
    let (_, registered) = test.remote()?.enrol(&key, &machine).await?;
    let url = format!("ws://{}/api/v1/ws/worker/{}", test.address(), registered.worker_id);
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", registered.credential).parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    socket.send(Message::text(serde_json::to_string(&hello(&[]))?)).await?;
    assert!(socket.next().await.context("a welcome")??.is_text());
    socket.send(Message::text(r#"{"type":"from_the_future","x":1}"#)).await?;
    socket.send(Message::text(r#"{"type":"report","acce"#)).await?;
    let until_closed = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, until_closed).await.context("the torn frame closes it")?;
    test.add_user("bob").await?;
    test.finish().await
}

#[tokio::test]
async fn who_does_not_say_hello_in_the_right_protocol_is_sent_away() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let mut rude = test.worker("attic").connect().await?;
    rude.send(&ToCoordinator::Drain).await?;
    assert!(closes(rude).await);
    let mut old = test.worker("attic").connect().await?;
    let ToCoordinator::Hello(now) = hello(&[]) else { bail!("not a hello") };
    old.send(&ToCoordinator::Hello(Hello { protocol: 999, ..now })).await?;
    assert!(closes(old).await);
    test.finish().await
}

#[tokio::test]
async fn a_newer_socket_takes_the_place_of_an_older_one() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let (old, _) = join(test.worker("attic"), &[]).await?;
    let (mut new, _) = join(test.worker("attic"), &[]).await?;
    assert!(closes(old).await);
    test.user("ann").client.create_task(&prompt("for the new one")).await?;
    let attempt = assigned(&mut new).await?.attempt_ref();
    new.send(&ToCoordinator::Report(done(attempt, "ok"))).await?;
    while !matches!(new.next().await?, ToWorker::Ack(_)) {}
    test.finish().await
}

#[tokio::test]
async fn pause_cancel_and_removal_reach_the_socket() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").may_leave_leases().build().await?;
    let ann = &test.user("ann").client;
    let worker = test.worker("attic");
    let (mut socket, _) = join(worker, &[]).await?;
    ann.pause_worker(worker.worker_id()).await?;
    assert_eq!(socket.next().await?, ToWorker::Pause);
    let task = ann.create_task(&prompt("wait")).await?;
    assert_eq!(task.status, TaskStatus::Queued);
    ann.resume_worker(worker.worker_id()).await?;
    let attempt = assigned(&mut socket).await?.attempt_ref();
    socket.send(&ToCoordinator::Report(accepted(attempt))).await?;
    let running = || async { ann.task(task.task_id).await.ok().filter(|task| task.status == TaskStatus::Running) };
    eventually(&test.state().hub, PATIENCE, "it runs", running).await;
    ann.cancel_task(task.task_id).await?;
    loop {
        if let ToWorker::Cancel { attempts } = socket.next().await? {
            assert_eq!(attempts, [attempt]);
            break;
        }
    }
    ann.remove_worker(worker.worker_id()).await?;
    assert!(closes(socket).await);
    assert!(worker.connect().await.is_err(), "its credential has ended");
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Cancelled);
    test.finish().await
}

#[tokio::test]
async fn a_pause_outlives_a_reconnect_and_the_owners_is_another_one() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let ann = &test.user("ann").client;
    let worker = test.worker("attic");
    ann.pause_worker(worker.worker_id()).await?;
    let (mut socket, welcome) = join(worker, &[]).await?;
    assert!(matches!(welcome, ToWorker::Welcome { paused: true, .. }));
    socket.send(&ToCoordinator::Pause).await?;
    let both = || async {
        ann.worker(worker.worker_id())
            .await
            .ok()
            .filter(|worker| worker.pauses.by_owner && worker.pauses.by_coordinator)
    };
    eventually(&test.state().hub, PATIENCE, "both pauses stand", both).await;
    let left = ann.resume_worker(worker.worker_id()).await?;
    assert!(left.pauses.by_owner && !left.pauses.by_coordinator);
    test.finish().await
}

#[tokio::test]
async fn a_coordinator_that_slept_goes_on_with_its_workers() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&prompt("hello")).await?;
    let (mut socket, _) = join(test.worker("attic"), &[]).await?;
    let attempt = assigned(&mut socket).await?.attempt_ref();
    socket
        .send(&ToCoordinator::Report(Report { accepted: vec![attempt], ..said(attempt, vec![line(1, "a")]) }))
        .await?;
    while !matches!(socket.next().await?, ToWorker::Ack(reply) if !reply.logs.is_empty()) {}
    test.jump(Duration::from_secs(8 * 60 * 60)).await?;
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Running, "the lid was closed for a night");
    socket.send(&ToCoordinator::Report(done(attempt, "good morning"))).await?;
    while !matches!(socket.next().await?, ToWorker::Ack(reply) if !reply.results.is_empty()) {}
    let task = ann.task(task.task_id).await?;
    assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 1));
    test.finish().await
}
