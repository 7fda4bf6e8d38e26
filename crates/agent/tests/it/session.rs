//! What passes between a worker and its coordinator while both live.

use std::time::{Duration, Instant};

use swarm_agent::AgentControl as _;
use swarm_model::log::LogStream;
use swarm_model::task::Outcome;
use swarm_model::worker::RefusalReason;
use swarm_proto::worker::{Assignment, LogReceipt, PROTOCOL, Report, ReportReply, ToCoordinator, ToWorker};

use crate::coordinator::*;

#[tokio::test]
async fn a_task_from_assignment_to_acknowledgement() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert_eq!((hello.protocol, hello.attempts.len(), hello.paused_by_owner), (PROTOCOL, 0, false));
    assert_eq!(hello.capabilities.slots, 4);
    let command = hello.capabilities.tools.iter().find(|tool| tool.name.as_str() == "command").unwrap();
    assert!(command.health.is_ready(), "{command:?}");

    let task = script(7, "echo one; echo two; mkdir out; printf content > out/file.txt");
    session.assign(&task).await;
    let first = session.report().await;
    assert_eq!(first.accepted, [task.attempt_ref()], "{first:?}");
    let mut ledger = Ledger::default();
    session.send(&ToWorker::Ack(ledger.book(&first))).await;

    let result = session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["one", "two"]);
    assert_eq!(ledger.n_repeated, 0);
    assert_eq!(result.record.exit_code, Some(0));
    let Outcome::Completed { result } = result.outcome else { panic!("{result:?}") };
    assert!(result.text.contains("two"), "{result:?}");
    assert_eq!(result.artifacts.len(), 1);
    assert_eq!(result.artifacts[0].name, "out/file.txt");
    assert_eq!(result.artifacts[0].hash, blake3::hash(b"content").to_hex().to_string());
    // The file was there before the result said so.
    assert_eq!(coordinator.known.lock().unwrap().files["out/file.txt"], b"content");

    let folder = agent.run_folder();
    eventually("the folder is closed", || closed(&folder).as_deref() == Some("acknowledged")).await;
    assert!(!folder.join("tmp").exists() && !folder.join("control").exists());
    loop {
        if let ToCoordinator::Heartbeat { running, load } = session.next().await {
            assert!(running.is_empty(), "an acknowledged attempt is named no more");
            assert!(load.memory_percent > 0.0);
            break;
        }
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn output_streams_while_the_run_goes_on() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let gate = agent.folder.path().join("gate");
    let task = script(1, &format!("echo begun; while [ ! -e {} ]; do sleep 0.02; done; echo done", gate.display()));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.texts(task.attempt_ref()) != ["begun"] {
        let report = session.report().await;
        assert!(report.results.is_empty());
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
    }
    let status = agent.handle.status();
    assert_eq!(status.running.len(), 1, "{status:?}");
    std::fs::write(&gate, "").unwrap();
    session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["begun", "done"]);
    agent.stop().await.unwrap();
}

/// A run that waits in the middle, a connection that ends there, and what comes over the next one.
async fn after_reconnect(received: u64, expected: &[u64]) {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, first_hello) = coordinator.session(&[]).await;
    let gate = agent.folder.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display());
    let task = script(1, &format!("echo 1; echo 2; echo 3; {wait}; echo 4"));
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 3 {
        ledger.book(&session.report().await);
    }
    drop(session);

    let (mut session, hello) = coordinator.session(&[(attempt, received)]).await;
    assert_eq!(hello.boot_id, first_hello.boot_id);
    assert_eq!(hello.attempts, [attempt]);
    std::fs::write(&gate, "").unwrap();
    let mut numbers = Vec::new();
    loop {
        let report = session.report().await;
        let lines: Vec<_> = report.logs.iter().flat_map(|batch| &batch.lines).collect();
        numbers.extend(lines.iter().filter(|line| line.stream == LogStream::Stdout).map(|line| line.n));
        let is_last = !report.results.is_empty();
        let received = lines.last().map_or(received, |line| line.n);
        let logs = vec![LogReceipt { attempt, received }];
        session.send(&ToWorker::Ack(ReportReply { logs, ..ReportReply::default() })).await;
        if is_last {
            break;
        }
    }
    assert_eq!(numbers, expected);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn after_a_reconnect_only_what_is_missing_comes_again() {
    after_reconnect(3, &[4]).await;
}

#[tokio::test]
async fn lines_that_were_not_stored_come_again() {
    after_reconnect(1, &[2, 3, 4]).await;
}

#[tokio::test]
async fn a_coordinator_that_lost_everything_gets_everything() {
    after_reconnect(0, &[1, 2, 3, 4]).await;
}

#[tokio::test]
async fn torn_frames_cost_a_connection_and_no_run() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let gate = agent.folder.path().join("gate");
    let task = script(1, &format!("echo a; while [ ! -e {} ]; do sleep 0.02; done; echo b", gate.display()));
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 1 {
        ledger.book(&session.report().await);
    }
    session.send_text("{\"type\":\"assign\",\"tasks\":[{\"task_").await;
    let (session, hello) = coordinator.session(&[(attempt, 1)]).await;
    assert_eq!(hello.attempts, [attempt]);
    // The head of a text frame of 100 bytes, and three of them.
    session.tear(&[0x81, 100, b'{', b'"', b't']).await;
    let (session, _) = coordinator.session(&[(attempt, 1)]).await;
    session.tear(&[0xff; 64]).await;
    let (mut session, _) = coordinator.session(&[(attempt, 1)]).await;
    // Types of a newer coordinator are no reason to leave.
    session.send_text("{\"type\":\"sing\",\"song\":1}").await;
    std::fs::write(&gate, "").unwrap();
    let result = session.result_of(attempt, &mut ledger).await;
    assert!(matches!(result.outcome, Outcome::Completed { .. }), "{result:?}");
    assert_eq!((ledger.texts(attempt), ledger.n_repeated), (vec!["a", "b"], 0));
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_attempt_ends_and_is_forgotten() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let task = script(1, "echo $$; sleep 1000");
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 1 {
        ledger.book(&session.report().await);
    }
    let pid = ledger.texts(attempt)[0].to_owned();
    assert!(lives(&pid));
    session.send(&ToWorker::Ack(ReportReply { stale: vec![attempt], ..ReportReply::default() })).await;
    eventually("the process is gone", || !lives(&pid)).await;
    let folder = agent.run_folder();
    eventually("the folder is closed", || closed(&folder).as_deref() == Some("stale")).await;
    assert!(!folder.join("result.json").exists(), "nobody wants a result of it");
    match session.next().await {
        ToCoordinator::Heartbeat { running, .. } => assert!(running.is_empty()),
        other => panic!("nothing is told of it, but {other:?}"),
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_cancel_ends_the_whole_tree_and_keeps_what_was_said() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let task = script(1, "trap '' TERM; echo $$; setsid sh -c 'trap \"\" TERM; echo $$; sleep 1000' & wait");
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(attempt) < 2 {
        let report = session.report().await;
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
    }
    let asked = Instant::now();
    session.send(&ToWorker::Cancel { attempts: vec![attempt] }).await;
    let result = session.result_of(attempt, &mut ledger).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "2 s and the grace, not {:?}", asked.elapsed());
    let Outcome::Cancelled { partial: Some(partial) } = result.outcome else { panic!("{result:?}") };
    assert!(partial.text.contains(ledger.texts(attempt)[0]), "{partial:?}");
    for pid in ledger.texts(attempt) {
        assert!(!lives(pid), "{pid}");
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_flood_without_acknowledgements_holds_up_neither_run_nor_cancel() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let task =
        script(1, "yes 0123456789012345678901234567890123456789 | head -c 10000000; echo; echo flooded; sleep 1000");
    let attempt = task.attempt_ref();
    session.assign(&task).await;
    let journal = || agent.run_folder().join("journal.ndjson");
    assert_eq!(session.report().await.accepted, [attempt]);
    eventually("the journal has it all", || tail_of(&journal()).contains("flooded")).await;
    let asked = Instant::now();
    session.send(&ToWorker::Cancel { attempts: vec![attempt] }).await;
    let mut ledger = Ledger::default();
    let folder = agent.run_folder();
    eventually("the run is over", || folder.join("result.json").exists()).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    let result = session.result_of(attempt, &mut ledger).await;
    assert!(matches!(result.outcome, Outcome::Cancelled { .. }));
    assert_eq!(ledger.n_repeated, 0);
    assert!(ledger.received(attempt) > 200_000, "{}", ledger.received(attempt));
    assert_eq!(ledger.texts(attempt).last(), Some(&"flooded"));
    agent.stop().await.unwrap();
}

/// The end of a file that is written to.
fn tail_of(path: &std::path::Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let Ok(mut file) = std::fs::File::open(path) else { return String::new() };
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(length.saturating_sub(300))).unwrap();
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).unwrap();
    String::from_utf8_lossy(&tail).into_owned()
}

#[tokio::test]
async fn the_owner_decides_and_says_why() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let refusal_of = async |session: &mut Session, task: &Assignment| {
        session.assign(task).await;
        let refused = session.report().await.refused;
        assert_eq!((refused.len(), refused[0].attempt), (1, task.attempt_ref()));
        refused[0].reason.clone()
    };
    let mut foreign = script(1, "true");
    foreign.by_owner = false;
    assert_eq!(refusal_of(&mut session, &foreign).await, RefusalReason::ToolNotAllowed);
    let mut senseless = script(2, "true");
    senseless.input = swarm_model::task::TaskInput::default();
    let reason = refusal_of(&mut session, &senseless).await;
    assert!(matches!(reason, RefusalReason::InvalidInput { .. }), "{reason:?}");

    agent.handle.pause().await.unwrap();
    assert!(matches!(next_of_note(&mut session).await, ToCoordinator::Pause));
    assert_eq!(refusal_of(&mut session, &script(3, "true")).await, RefusalReason::PausedByOwner);
    // The pause outlives the connection and the process.
    drop(session);
    let (_, hello) = coordinator.session(&[]).await;
    assert!(hello.paused_by_owner);
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();
    let agent = TestAgent::start_in(folder, config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.paused_by_owner && agent.handle.status().pauses.by_owner);
    assert_eq!(coordinator.known.lock().unwrap().n_joined, 1, "a later start needs no key");
    agent.handle.resume().await.unwrap();
    assert!(matches!(next_of_note(&mut session).await, ToCoordinator::Resume));

    session.send(&ToWorker::Drain).await;
    assert_eq!(refusal_of(&mut session, &script(4, "true")).await, RefusalReason::Draining);
    session.send(&ToWorker::Resume).await;
    let task = script(5, "true");
    session.assign(&task).await;
    assert_eq!(session.report().await.accepted, [task.attempt_ref()]);
    agent.stop().await.unwrap();
}

/// The next frame that is no heartbeat.
pub(crate) async fn next_of_note(session: &mut Session) -> ToCoordinator {
    within(async {
        loop {
            let frame = session.next().await;
            if !matches!(frame, ToCoordinator::Heartbeat { .. }) {
                return frame;
            }
        }
    })
    .await
}

/// A greeting after which the coordinator is soon missed.
async fn impatient(coordinator: &mut Coordinator) -> Session {
    let mut session = coordinator.connection().await;
    session.hello().await;
    let terms = swarm_model::worker::LeaseTerms { heartbeat_ms: 50, lease_ms: 300 };
    let (stale, cancel, logs) = (Vec::new(), Vec::new(), Vec::new());
    session.send(&ToWorker::Welcome { worker_id: worker_id(), terms, stale, cancel, logs, paused: false }).await;
    session
}

#[tokio::test]
async fn a_coordinator_that_never_acknowledges_is_left() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let mut session = impatient(&mut coordinator).await;
    let task = script(1, "echo one");
    session.assign(&task).await;
    let attempt = task.attempt_ref();
    let (mut session, hello) = coordinator.session(&[]).await;
    assert_eq!(hello.attempts, [attempt]);
    let mut ledger = Ledger::default();
    session.result_of(attempt, &mut ledger).await;
    assert_eq!(ledger.texts(attempt), ["one"]);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_worker_leaves_a_dead_path_and_stays_on_a_quiet_one() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    // Nothing is closed, nothing is answered.
    let _silent = impatient(&mut coordinator).await;
    let mut session = impatient(&mut coordinator).await;
    // Quiet, but it answers what must be answered.
    let mut n_answered = 0;
    while n_answered < 10 {
        match within(session.try_next()).await.expect("the worker stays") {
            ToCoordinator::Report(report) => {
                assert_eq!(report, Report::default());
                session.send(&ToWorker::Ack(ReportReply::default())).await;
                n_answered += 1;
            }
            other => assert!(matches!(other, ToCoordinator::Heartbeat { .. }), "{other:?}"),
        }
    }
    agent.stop().await.unwrap();
}
