use anyhow::{Result, bail};
use swarm_client::ViewerSocket;
use swarm_model::EventId;
use swarm_model::change::EventKind;
use swarm_proto::client::{FromViewer, ToViewer};
use swarm_proto::worker::{ToCoordinator, ToWorker};
use swarm_testkit::TestCoordinator;

use crate::support::{accepted, assigned, done, join, line, prompt, said};

async fn subscribe(test: &TestCoordinator, name: &str, after: Option<EventId>) -> Result<(ViewerSocket, EventId)> {
    let user = test.user(name);
    let mut socket = user.client.watch(user.user_id).await?;
    socket.send(&FromViewer::Subscribe { after }).await?;
    match socket.next().await? {
        ToViewer::Subscribed { cursor } => Ok((socket, cursor)),
        other => bail!("expected `subscribed`, got {other:?}"),
    }
}

/// Task events until the task has ended, each with the task as it is.
async fn until_done(socket: &mut ViewerSocket) -> Result<(Vec<EventKind>, EventId)> {
    let mut kinds = Vec::new();
    loop {
        if let ToViewer::Event { event, task, .. } = socket.next().await?
            && event.number.is_some()
        {
            assert!(task.is_some(), "an event comes with its task");
            kinds.push(event.kind);
            if event.kind == EventKind::TaskCompleted {
                return Ok((kinds, event.id));
            }
        }
    }
}

#[tokio::test]
async fn a_viewer_sees_every_change_and_a_late_one_resumes_by_number() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let (mut early, start) = subscribe(&test, "ann", None).await?;
    let (mut machine, _) = join(test.worker("attic"), &[]).await?;
    test.user("ann").client.create_task(&prompt("watch me")).await?;
    let attempt = assigned(&mut machine).await?.attempt_ref();
    machine.send(&ToCoordinator::Report(accepted(attempt))).await?;
    machine.send(&ToCoordinator::Report(done(attempt, "ok"))).await?;
    let expected = [EventKind::TaskQueued, EventKind::TaskAssigned, EventKind::TaskRunning, EventKind::TaskCompleted];
    let (seen, last) = until_done(&mut early).await?;
    assert_eq!(seen, expected);

    let (mut late, _) = subscribe(&test, "ann", Some(start)).await?;
    assert_eq!(until_done(&mut late).await?, (expected.to_vec(), last));
    test.finish().await
}

#[tokio::test]
async fn a_followed_log_comes_in_order_from_any_number() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let (mut machine, _) = join(test.worker("attic"), &[]).await?;
    let task = test.user("ann").client.create_task(&prompt("talk")).await?;
    let attempt = assigned(&mut machine).await?.attempt_ref();
    machine.send(&ToCoordinator::Report(said(attempt, vec![line(1, "a"), line(2, "b")]))).await?;
    while !matches!(machine.next().await?, ToWorker::Ack(_)) {}
    let user = test.user("ann");
    let mut viewer = user.client.watch(user.user_id).await?;
    viewer.send(&FromViewer::Follow { task: task.number.to_string(), after: 1 }).await?;
    let mut seen = Vec::new();
    let ToViewer::Log { entries, .. } = viewer.next().await? else { bail!("the log is due") };
    seen.extend(entries);
    machine.send(&ToCoordinator::Report(accepted(attempt))).await?;
    machine.send(&ToCoordinator::Report(said(attempt, vec![line(3, "c")]))).await?;
    while seen.len() < 2 {
        let ToViewer::Log { entries, .. } = viewer.next().await? else { bail!("the log is due") };
        seen.extend(entries);
    }
    assert_eq!(seen.iter().map(|entry| (entry.seq, entry.text.as_str())).collect::<Vec<_>>(), [(2, "b"), (3, "c")]);
    machine.send(&ToCoordinator::Report(done(attempt, "ok"))).await?;
    while !matches!(machine.next().await?, ToWorker::Ack(reply) if !reply.results.is_empty()) {}
    test.finish().await
}

#[tokio::test]
async fn nobody_watches_for_somebody_else() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    let (ann, bob) = (test.user("ann"), test.user("bob"));
    assert!(bob.client.watch(ann.user_id).await.is_err());
    let task = ann.client.create_task(&prompt("private")).await?;
    let (mut viewer, _) = subscribe(&test, "bob", Some(EventId(0))).await?;
    viewer.send(&FromViewer::Follow { task: task.task_id.to_string(), after: 0 }).await?;
    assert!(matches!(viewer.next().await?, ToViewer::Refused { .. }), "and no event of ann's came before");
    test.finish().await
}

#[tokio::test]
async fn a_cursor_from_another_life_is_told_to_read_anew() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    test.user("ann").client.create_task(&prompt("one")).await?;
    let user = test.user("ann");
    let mut socket = user.client.watch(user.user_id).await?;
    socket.send(&FromViewer::Subscribe { after: Some(EventId(1_000_000)) }).await?;
    assert_eq!(socket.next().await?, ToViewer::Gone { task_id: None });
    test.finish().await
}
