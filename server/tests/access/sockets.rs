//! Who opens which socket, and what each frame is refused.

use std::time::Duration;

use anyhow::{Context as _, Result};
use swarm_client::WorkerSocket;
use swarm_model::BootId;
use swarm_model::task::{Outcome, RunRecord, TaskResult};
use swarm_model::time::SystemClock;
use swarm_model::worker::AttemptRef;
use swarm_proto::worker::{AttemptResult, Hello, PROTOCOL, Refusal, Report, ToCoordinator, ToWorker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cast::{Cast, attic_capabilities};

const PATIENCE: Duration = Duration::from_secs(10);

/// The status with which a WebSocket is opened or refused.
async fn open(cast: &Cast, path: &str, credential: Option<&str>) -> Result<u16> {
    let address = cast.coordinator.address();
    let proof = credential.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /api/v1/ws/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{proof}\r\n"
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(timeout(PATIENCE, stream.read_u8()).await??);
    }
    Ok(String::from_utf8(line)?.split(' ').nth(1).context("a status line")?.parse()?)
}

#[tokio::test]
async fn each_socket_opens_for_whom_it_is() -> Result<()> {
    let cast = Cast::assemble().await?;
    let tom = format!("client/{}", cast.id("tom"));
    let attic = format!("worker/{}", cast.attic.worker_id);
    let nobody = "client/01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    let (expired, revoked) = (cast.expired.clone(), cast.revoked.clone());
    let (narrow, wide) = (cast.narrow.clone(), cast.wide.clone());
    let credentials = [
        ("nobody", None, 401, 401),
        ("made up", Some("gs_cli_made_up"), 401, 401),
        ("expired", Some(expired.as_str()), 401, 401),
        ("revoked", Some(revoked.as_str()), 401, 401),
        ("eve", Some(cast.token("eve")), 404, 403),
        ("vera", Some(cast.token("vera")), 404, 403),
        ("otto", Some(cast.token("otto")), 404, 403),
        ("olga", Some(cast.token("olga")), 404, 403),
        ("ada", Some(cast.token("ada")), 404, 403),
        ("the attic", Some(cast.attic.credential.as_str()), 403, 101),
        ("the cellar", Some(cast.cellar.credential.as_str()), 403, 403),
        ("tom's narrow key", Some(narrow.as_str()), 403, 403),
        ("tom's wide key", Some(wide.as_str()), 101, 403),
        ("tom", Some(cast.token("tom")), 101, 403),
    ];
    let mut wrong = Vec::new();
    for (name, credential, of_tom, of_attic) in credentials {
        for (path, due) in [(&tom, of_tom), (&attic, of_attic)] {
            let status = open(&cast, path, credential).await?;
            if status != due {
                wrong.push(format!("{name} at {path}: {status} is not {due}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(open(&cast, &nobody, Some(cast.token("ada"))).await?, 404, "an admin listens for themselves only");
    cast.coordinator.finish().await
}

async fn connect(cast: &Cast, machine: &crate::cast::Machine) -> Result<WorkerSocket> {
    let worker = cast.coordinator.remote()?.worker(machine.worker_id, &machine.credential);
    let hello = ToCoordinator::Hello(Hello {
        protocol: PROTOCOL,
        boot_id: BootId::generate(&SystemClock),
        capabilities: attic_capabilities(),
        attempts: Vec::new(),
        paused_by_owner: false,
    });
    let mut socket = worker.connect().await?;
    socket.send(&hello).await?;
    Ok(socket)
}

async fn next(socket: &mut WorkerSocket) -> Result<ToWorker> {
    Ok(timeout(PATIENCE, socket.next()).await??)
}

fn forged(attempt: AttemptRef) -> Report {
    let result = TaskResult { text: "forged".to_owned(), ..TaskResult::default() };
    Report {
        accepted: vec![attempt],
        refused: vec![Refusal { attempt, reason: swarm_model::worker::RefusalReason::Draining }],
        logs: vec![swarm_proto::worker::LogBatch {
            attempt,
            lines: vec![swarm_model::log::LogLine {
                n: 1,
                stream: swarm_model::log::LogStream::Stdout,
                text: "forged".to_owned(),
                data: None,
                at: swarm_model::Timestamp::EPOCH,
            }],
        }],
        results: vec![AttemptResult { attempt, outcome: Outcome::Completed { result }, record: RunRecord::default() }],
        ..Report::default()
    }
}

/// The cellar holds a socket and a credential of its own, and the attic's attempt is none of its business: whatever it
/// says about it, by frame or by HTTP, changes nothing.
#[tokio::test]
async fn a_worker_forges_neither_result_nor_log_of_another() -> Result<()> {
    let cast = Cast::assemble().await?;
    cast.attic_comes().await;
    let olga = cast.token("olga").to_owned();
    let body = serde_json::json!({ "description": "hello", "tool": "demo" });
    cast.send(Some(&olga), "post", "/api/v1/tasks", Some(body)).await.ok();
    let number = cast.attic_pulls().await.context("the attic has no task")?;
    let path = format!("/api/v1/tasks/{number}");
    let task: swarm_proto::tasks::Task = cast.send(Some(&olga), "get", &path, None).await.json();
    let attempt = AttemptRef { task_id: task.task_id, attempt: 1 };

    let mut cellar = connect(&cast, &cast.cellar).await?;
    anyhow::ensure!(matches!(next(&mut cellar).await?, ToWorker::Welcome { .. }));
    cellar.send(&ToCoordinator::Report(forged(attempt))).await?;
    let ToWorker::Ack(told) = next(&mut cellar).await? else { anyhow::bail!("an acknowledgement was due") };
    assert!(told.stale.contains(&attempt) && told.logs.is_empty(), "{told:?}");
    let report = format!("/api/v1/workers/{}/report", cast.cellar.worker_id);
    let by_http = serde_json::to_value(forged(attempt))?;
    cast.send(Some(&cast.cellar.credential), "post", &report, Some(by_http.clone())).await.ok();
    let as_attic = format!("/api/v1/workers/{}/report", cast.attic.worker_id);
    assert_eq!(cast.send(Some(&cast.cellar.credential), "post", &as_attic, Some(by_http)).await.status, 403);

    let after: swarm_proto::tasks::Task = cast.send(Some(&olga), "get", &path, None).await.json();
    assert_eq!((after.status, after.result), (task.status, None));
    let log = cast.send(Some(&olga), "get", &format!("{path}/logs"), None).await;
    log.ok();
    assert!(!log.text().contains("forged"), "{}", log.text());
    cast.coordinator.finish().await
}
