//! The agent as its owner steers it from other processes: over the local socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use swarm_agent::{AgentControl as _, AgentEvent, ControlClient, ControlError, ControlReply, Grant, LinkStatus};
use swarm_model::time::SystemClock;
use swarm_model::tool::ToolHealth;
use swarm_model::worker::{Capabilities, RefusalReason};
use swarm_model::{TaskId, ToolName};
use swarm_proto::worker::{Assignment, ToCoordinator};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::coordinator::*;
use crate::crash::Process;
use crate::session::next_of_note;

const ANN: &str = "018f2d3a-0000-7000-8000-0000000000a1";

fn demo() -> ToolName {
    "demo".parse().unwrap()
}

/// A prompt of somebody who does not own the machine.
fn of_ann(number: i64) -> Assignment {
    serde_json::from_value(json!({
        "task_id": TaskId::generate(&SystemClock), "number": number, "attempt": 1, "user_id": ANN, "by_owner": false,
        "tool": "demo", "description": "say hello", "input": { "kind": "prompt" },
    }))
    .unwrap()
}

fn client(folder: &Path) -> ControlClient {
    ControlClient::new(folder)
}

/// The capabilities that the coordinator is told next that are as they must be.
async fn told(session: &mut Session, is_it: impl Fn(&Capabilities) -> bool) -> Capabilities {
    within(async {
        loop {
            if let ToCoordinator::Capabilities(capabilities) = session.next().await
                && is_it(&capabilities)
            {
                return capabilities;
            }
        }
    })
    .await
}

/// What the machine says to an assignment: a reason, or none where it takes it and has finished it.
async fn answer(session: &mut Session, ledger: &mut Ledger, task: &Assignment) -> Option<RefusalReason> {
    session.assign(task).await;
    loop {
        let ToCoordinator::Report(report) = session.next().await else { continue };
        if let Some(refusal) = report.refused.first() {
            assert_eq!(refusal.attempt, task.attempt_ref());
            return Some(refusal.reason.clone());
        }
        session.send(&swarm_proto::worker::ToWorker::Ack(ledger.book(&report))).await;
        if report.results.iter().any(|result| result.attempt == task.attempt_ref()) {
            return None;
        }
    }
}

#[tokio::test]
async fn a_pause_over_the_socket_holds_and_survives_the_process() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let steer = client(agent.folder.path());
    assert!(steer.pause().await.unwrap().preferences.settings.paused);
    assert!(steer.status_now().await.unwrap().pauses.by_owner, "it shows at once");
    assert!(matches!(next_of_note(&mut session).await, ToCoordinator::Pause));
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();
    assert!(matches!(steer.pause().await, Err(ControlError::NotRunning { .. })));
    assert!(!folder.path().join("control/agent.sock").exists(), "the socket goes with its agent");

    let agent = TestAgent::start_in(folder, config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.paused_by_owner);
    client(agent.folder.path()).resume().await.unwrap();
    assert!(matches!(next_of_note(&mut session).await, ToCoordinator::Resume));
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn it_can_be_steered_before_it_has_joined() {
    let url = {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", nobody.local_addr().unwrap())
    };
    let agent = TestAgent::start(config(&url)).await;
    let socket = agent.folder.path().join("control/agent.sock");
    eventually("the socket is there", || socket.exists()).await;
    let steer = client(agent.folder.path());
    steer.set_preference("slots", "7").await.unwrap();
    let status = steer.status_now().await.unwrap();
    assert_eq!((status.slots, status.worker_id), (7, None));
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn settings_count_at_once_and_the_coordinator_is_told() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert_eq!(hello.capabilities.slots, 4);
    let file = agent.folder.path().join("worker.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n# my own remark\n")).unwrap();
    let steer = client(agent.folder.path());

    let changed = steer.set_preference("slots", "3").await.unwrap();
    assert_eq!((changed.preferences.settings.slots, changed.later.len()), (Some(3), 0));
    told(&mut session, |now| now.slots == 3).await;
    steer.set_preference("labels.room", "attic").await.unwrap();
    told(&mut session, |now| now.labels.get("room").is_some_and(|room| room == "attic")).await;
    steer.set_preference("tools.demo.enabled", "false").await.unwrap();
    let is = |now: &Capabilities, ready: bool| {
        let health = &now.tools.iter().find(|tool| tool.name == demo()).unwrap().health;
        if ready { health.is_ready() } else { *health == ToolHealth::NotAllowed }
    };
    told(&mut session, |now| is(now, false)).await;
    steer.unset_preference("tools.demo.enabled").await.unwrap();
    told(&mut session, |now| is(now, true)).await;
    steer.set_preference("tools.demo.max_concurrent", "2").await.unwrap();
    told(&mut session, |now| now.tools.iter().any(|tool| tool.max_concurrent == Some(2))).await;
    let later = steer.set_preference("work_dir", "elsewhere").await.unwrap().later;
    assert!(later[0].contains("next start"), "{later:?}");

    let before = std::fs::read_to_string(&file).unwrap();
    assert!(before.contains("# my own remark"), "{before}");
    for (key, value, expected) in [("slotz", "1", "unknown field"), ("tools.dmo.enabled", "true", "there is no tool")] {
        let refused = steer.set_preference(key, value).await.unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("nothing was changed"), "{refused}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    // The handle in the process is the same.
    assert_eq!(agent.handle.preferences().await.unwrap(), steer.preferences().await.unwrap());
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_grant_lets_somebody_in_within_its_bounds() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.capabilities.grants.is_empty());
    let mut ledger = Ledger::default();
    assert_eq!(answer(&mut session, &mut ledger, &of_ann(1)).await, Some(RefusalReason::ToolNotAllowed));

    let steer = client(agent.folder.path());
    let ann = ANN.parse().unwrap();
    let grant = Grant { runs_per_day: Some(2), slots: Some(1), ..Grant::new(demo(), ann) };
    steer.grant(grant).await.unwrap();
    let now = told(&mut session, |now| !now.grants.is_empty()).await;
    assert_eq!((now.grants[0].user_id.unwrap().to_string().as_str(), now.grants[0].slots), (ANN, Some(1)));
    assert_eq!(answer(&mut session, &mut ledger, &of_ann(2)).await, None);
    assert_eq!(answer(&mut session, &mut ledger, &of_ann(3)).await, None);
    let used_up = answer(&mut session, &mut ledger, &of_ann(4)).await;
    assert!(matches!(used_up, Some(RefusalReason::ShareUsedUp { .. })), "{used_up:?}");
    eventually("both runs are shown", || agent.handle.status().used_today.first().is_some_and(|used| used.runs == 2))
        .await;

    // The next process knows it too, and offers no slot for today.
    let TestAgent { folder, served, shutdown, .. } = agent;
    shutdown.cancel();
    within(served).await.unwrap().unwrap();
    let agent = TestAgent::start_in(folder, config(&coordinator.url)).await;
    let (mut session, hello) = coordinator.session(&[]).await;
    assert_eq!(hello.capabilities.grants[0].slots, Some(0), "{:?}", hello.capabilities.grants);
    let used_up = answer(&mut session, &mut ledger, &of_ann(5)).await;
    assert!(matches!(used_up, Some(RefusalReason::ShareUsedUp { .. })), "{used_up:?}");

    let steer = client(agent.folder.path());
    steer.grant(Grant::new(demo(), ann)).await.unwrap();
    assert_eq!(answer(&mut session, &mut ledger, &of_ann(6)).await, None, "a grant without bounds");
    steer.ungrant(ann, Some(demo())).await.unwrap();
    assert_eq!(answer(&mut session, &mut ledger, &of_ann(7)).await, Some(RefusalReason::ToolNotAllowed));
    let refused = steer.ungrant(ann, None).await.unwrap_err().to_string();
    assert!(refused.contains("nothing of this kind is granted"), "{refused}");

    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_run_counts_once_where_the_agent_dies_before_it_is_counted() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    let grant = format!("[[grants]]\ntool = \"demo\"\nuser = \"{ANN}\"\nruns_per_day = 2\n");
    std::fs::write(data_dir.join("worker.toml"), grant).unwrap();
    let mut process = Process::start(&folder, &coordinator.url, Some("agent.result.journalled"));
    let (mut session, _) = coordinator.session(&[]).await;
    session.assign(&of_ann(1)).await;
    eventually("it dies", || process.child.try_wait().unwrap().is_some()).await;
    for _start in 0..2 {
        let _process = Process::start(&folder, &coordinator.url, None);
        let (_session, hello) = coordinator.session(&[]).await;
        assert_eq!(hello.capabilities.grants.len(), 1, "one of two runs is left");
        let status = client(&data_dir).status_now().await.unwrap();
        assert_eq!(status.used_today.iter().map(|used| used.runs).collect::<Vec<_>>(), [1]);
    }
}

#[tokio::test]
async fn who_watches_sees_changes_and_what_happens() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let mut seen = Box::pin(client(agent.folder.path()).watch().await.unwrap());
    let mut wait_for = async |is_it: &dyn Fn(&ControlReply) -> bool| {
        within(async { while !is_it(&seen.next().await.unwrap().unwrap()) {} }).await;
    };
    wait_for(&|reply| matches!(reply, ControlReply::Status { status } if status.link == LinkStatus::Connected)).await;
    let task = script(7, "true");
    session.assign(&task).await;
    wait_for(&|reply| matches!(reply, ControlReply::Event { event: AgentEvent::Started { .. } })).await;
    wait_for(&|reply| matches!(reply, ControlReply::Event { event: AgentEvent::Ended { .. } })).await;
    client(agent.folder.path()).pause().await.unwrap();
    wait_for(&|reply| matches!(reply, ControlReply::Status { status } if status.pauses.by_owner)).await;
    agent.stop().await.unwrap();
    within(async { while let Some(Ok(_)) = seen.next().await {} }).await;
}

#[tokio::test]
async fn nonsense_is_answered_and_ends_nobody() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (_session, _) = coordinator.session(&[]).await;
    let socket = agent.folder.path().join("control/agent.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);

    let mut lines = BufReader::new(UnixStream::connect(&socket).await.unwrap());
    let mut say = async |text: &str| -> Value {
        lines.write_all(format!("{text}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        within(lines.read_line(&mut line)).await.unwrap();
        serde_json::from_str(&line).unwrap()
    };
    for nonsense in ["", "nonsense", "[]", "{\"v\":1}", "{\"v\":1,\"ask\":\"fly\"}", &"[".repeat(20_000)] {
        let reply = say(nonsense).await;
        assert_eq!((&reply["v"], &reply["reply"]), (&1.into(), &"refused".into()), "{nonsense}: {reply}");
    }
    assert!(say("{\"v\":9,\"ask\":\"status\"}").await["message"].as_str().unwrap().contains("version 9"));
    assert_eq!(say("{\"v\":1,\"ask\":\"status\"}").await["reply"], "status", "the connection goes on");

    let mut flood = UnixStream::connect(&socket).await.unwrap();
    flood.write_all(&vec![b'x'; 100_000]).await.ok();
    let mut heard = String::new();
    within(flood.read_to_string(&mut heard)).await.ok();
    assert!(heard.contains("at most 65536 bytes"), "{heard}");
    client(agent.folder.path()).status_now().await.unwrap();
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_is_turned_away() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if !is_root || Command::new("setpriv").arg("--version").output().is_err() {
        println!("left out: only root with setpriv can become another account");
        return;
    }
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (_session, _) = coordinator.session(&[]).await;
    let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let (folder, program) = (tempfile::tempdir().unwrap(), "probe");
    open(folder.path(), 0o755);
    std::fs::copy(probe(), folder.path().join(program)).unwrap();
    let socket = agent.folder.path().join("control/agent.sock");
    let knock = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(folder.path().join(program)).arg("knock").arg(&socket).output().unwrap()
    };
    let (socket_dir, data_dir) = (socket.parent().unwrap(), agent.folder.path());
    let refused = knock();
    assert!(!refused.status.success(), "{refused:?}");
    // Also where the rights of the folders are lost, it is asked who it is.
    for (path, mode) in [(data_dir, 0o755), (socket_dir, 0o755), (&socket, 0o666)] {
        open(path, mode);
    }
    let silent = knock();
    assert!(silent.status.success() && silent.stdout.is_empty(), "{silent:?}");
    client(data_dir).status_now().await.unwrap();
    agent.stop().await.unwrap();
}
