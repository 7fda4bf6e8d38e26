//! How a worker begins and ends: keys, revoked credentials, orderly stops, two agents in one folder.

use std::time::Duration;

use swarm_agent::{Agent, AgentConfig, AgentError, Key, LinkStatus};
use swarm_model::worker::RefusalReason;
use swarm_proto::worker::{ToCoordinator, ToWorker};

use crate::coordinator::*;

#[tokio::test]
async fn a_revoked_credential_ends_the_worker_and_its_runs() {
    let mut coordinator = Coordinator::start().await;
    // The first start joins; the second one has no key any more.
    let agent = TestAgent::start(config(&coordinator.url)).await;
    drop(coordinator.session(&[]).await);
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();
    let agent = TestAgent::start_in(folder, AgentConfig { key: None, ..config(&coordinator.url) }).await;
    let (mut session, _) = coordinator.session(&[]).await;

    let task = script(1, "echo $$; sleep 1000");
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(task.attempt_ref()) < 1 {
        ledger.book(&session.report().await);
    }
    let pid = ledger.texts(task.attempt_ref())[0].to_owned();
    coordinator.known.lock().unwrap().n_revoked = 1;
    drop(session);
    let error = within(agent.served).await.unwrap().unwrap_err();
    assert!(matches!(error, AgentError::CredentialRefused { .. }), "{error:?}");
    assert!(error.to_string().contains("garageswarm key create"), "{error}");
    assert!(!lives(&pid), "its runs end with it");
    assert_eq!(agent.handle.status().link, LinkStatus::Stopped);
}

#[tokio::test]
async fn a_key_mends_a_revoked_credential() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    drop(coordinator.session(&[]).await);
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();
    coordinator.known.lock().unwrap().n_revoked = 1;
    let agent = TestAgent::start_in(folder, config(&coordinator.url)).await;
    coordinator.session(&[]).await;
    assert_eq!(coordinator.known.lock().unwrap().n_joined, 2);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_told_at_once() {
    let coordinator = Coordinator::start().await;
    let start = async |config: AgentConfig| {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = tokio_util::sync::CancellationToken::new();
        within(Agent::run(config, host(folder.path()), shutdown)).await.unwrap_err()
    };
    let without_key = AgentConfig { key: None, ..config(&coordinator.url) };
    assert!(matches!(start(without_key).await, AgentError::NoKey { .. }));
    let wrong_key = AgentConfig { key: Some(Key::new("bad-key")), ..config(&coordinator.url) };
    assert!(matches!(start(wrong_key).await, AgentError::KeyRefused { .. }));
    let nowhere = AgentConfig { coordinator: None, ..config(&coordinator.url) };
    assert!(matches!(start(nowhere).await, AgentError::NoCoordinator));
    let unknown = AgentConfig { allow_tools: vec!["comand".parse().unwrap()], ..config(&coordinator.url) };
    assert!(matches!(start(unknown).await, AgentError::UnknownTool(_)));
}

#[tokio::test]
async fn a_machine_does_not_move_without_a_key() {
    let mut first = Coordinator::start().await;
    let mut second = Coordinator::start().await;
    let agent = TestAgent::start(config(&first.url)).await;
    drop(first.session(&[]).await);
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();

    let elsewhere = AgentConfig { key: None, ..config(&second.url) };
    let moved = Agent::run(elsewhere, host(folder.path()), tokio_util::sync::CancellationToken::new());
    let error = within(moved).await.unwrap_err();
    assert!(matches!(error, AgentError::OtherCoordinator { .. }), "{error:?}");

    // The same coordinator at another address is no move: the credential holds there.
    second.known.lock().unwrap().n_joined = 1;
    let same = AgentConfig { key: None, same_coordinator: true, ..config(&second.url) };
    let agent = TestAgent::start_in(folder, same).await;
    second.session(&[]).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_agent() {
    let coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let second = Agent::prepare(config(&coordinator.url), host(agent.folder.path())).await;
    assert!(matches!(second.unwrap_err(), AgentError::InUse { .. }));
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_stops_gives_back_what_it_cannot_finish() {
    let mut coordinator = Coordinator::start().await;
    let drain = Duration::from_millis(300);
    let agent = TestAgent::start(AgentConfig { drain, ..config(&coordinator.url) }).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let (short, long) = (script(1, "echo short; sleep 0.1"), script(2, "echo $$; sleep 1000"));
    let mut ledger = Ledger::default();
    for task in [&short, &long] {
        session.assign(task).await;
    }
    while ledger.received(short.attempt_ref()) < 1 || ledger.received(long.attempt_ref()) < 1 {
        let report = session.report().await;
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
    }
    let pid = ledger.texts(long.attempt_ref())[0].to_owned();
    agent.shutdown.cancel();
    let (mut drained, mut refused) = (false, Vec::new());
    while let Some(frame) = within(session.try_next()).await {
        match frame {
            ToCoordinator::Drain => drained = true,
            ToCoordinator::Report(report) => {
                refused.extend(report.refused.clone());
                session.send(&ToWorker::Ack(ledger.book(&report))).await;
            }
            _ => {}
        }
    }
    within(agent.served).await.unwrap().unwrap();
    assert!(drained);
    assert_eq!(ledger.results.len(), 1, "what can end in time does");
    assert_eq!(ledger.results[0].attempt, short.attempt_ref());
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].attempt, &refused[0].reason), (long.attempt_ref(), &RefusalReason::Draining));
    assert!(!lives(&pid));
}

#[tokio::test]
async fn a_result_that_nobody_heard_is_told_by_the_next_process() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    let task = script(1, "echo one; echo kept > file");
    session.assign(&task).await;
    assert_eq!(session.report().await.accepted, [task.attempt_ref()]);
    let folder = agent.run_folder();
    eventually("the run is over", || folder.join("result.json").exists()).await;
    drop(session);
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();

    let agent = TestAgent::start_in(folder, config(&coordinator.url)).await;
    let (mut session, second_hello) = coordinator.session(&[]).await;
    assert_ne!(second_hello.boot_id, hello.boot_id);
    assert_eq!(second_hello.attempts, [task.attempt_ref()]);
    let mut ledger = Ledger::default();
    session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["one"]);
    assert_eq!(coordinator.known.lock().unwrap().files["file"], b"kept\n");
    let folder = agent.run_folder();
    eventually("the folder is closed", || closed(&folder).as_deref() == Some("acknowledged")).await;
    agent.stop().await.unwrap();
}
