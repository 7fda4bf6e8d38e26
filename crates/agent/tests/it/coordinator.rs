//! A coordinator that does what the test says: it lets workers join, takes files, and hands over sockets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use swarm_agent::{Agent, AgentConfig, AgentError, AgentHandle, FileHost, Key};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::time::SystemClock;
use swarm_model::worker::{AttemptRef, LeaseTerms};
use swarm_model::{TaskId, WorkerId};
use swarm_proto::worker::{Assignment, AttemptResult, Hello, LogReceipt, Report, ReportReply, ToCoordinator, ToWorker};
use swarm_tools::GuardBinary;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// How long anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Heartbeats that a test can wait for.
pub(crate) const TERMS: LeaseTerms = LeaseTerms { heartbeat_ms: 200, lease_ms: 60_000 };

pub(crate) const WORKER: &str = "018f2d3a-0000-7000-8000-0000000000aa";
const USER: &str = "018f2d3a-0000-7000-8000-0000000000bb";

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Refuse the credentials that were handed out until now.
    pub(crate) n_revoked: u32,
    pub(crate) n_joined: u32,
    /// Files by name.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

pub(crate) struct Coordinator {
    pub(crate) url: String,
    pub(crate) known: Arc<Mutex<Known>>,
    sockets: mpsc::UnboundedReceiver<Socket>,
}

type Socket = WebSocketStream<TcpStream>;

impl Coordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let known = Arc::new(Mutex::new(Known::default()));
        let (tell, sockets) = mpsc::unbounded_channel();
        let shared = Arc::clone(&known);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Otherwise an answer and an assignment behind it are 40 ms apart.
                stream.set_nodelay(true).unwrap();
                tokio::spawn(answer(stream, Arc::clone(&shared), tell.clone()));
            }
        });
        Self { url, known, sockets }
    }

    /// The next connection of a worker.
    pub(crate) async fn connection(&mut self) -> Session {
        Session { socket: within(self.sockets.recv()).await.unwrap() }
    }

    /// The next connection of a worker, after its greeting.
    pub(crate) async fn session(&mut self, logs: &[(AttemptRef, u64)]) -> (Session, Hello) {
        loop {
            let mut session = self.connection().await;
            // A worker that has stopped since may have left a connection behind.
            if let Some(ToCoordinator::Hello(hello)) = within(session.try_next()).await {
                session.welcome(logs).await;
                return (session, hello);
            }
        }
    }
}

/// One request: joining and files here, sockets for the test.
async fn answer(mut stream: TcpStream, known: Arc<Mutex<Known>>, sockets: mpsc::UnboundedSender<Socket>) {
    // Looked at without taking it, so that the opening of a socket can be handed over whole.
    let mut seen = vec![0; 16 * 1024];
    let head = loop {
        let n_seen = stream.peek(&mut seen).await.unwrap_or(0);
        if n_seen == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&seen[..n_seen]).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            break text[..end + 4].to_owned();
        }
        tokio::task::yield_now().await;
    };
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
        line.map(|line| line[name.len() + 2..].to_owned())
    };
    let bearer = field("authorization").unwrap_or_default();
    let generation = bearer.strip_prefix("Bearer credential-").and_then(|n| n.parse::<u32>().ok());
    let allowed = generation.is_some_and(|generation| generation > known.lock().unwrap().n_revoked);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();

    if path == format!("/api/v1/ws/worker/{WORKER}") && allowed {
        if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
            // A test that is over takes no more.
            sockets.send(socket).ok();
        }
        return;
    }
    stream.read_exact(&mut vec![0; head.len()]).await.unwrap();
    let mut body = vec![0; field("content-length").map_or(0, |n| n.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let (status, answer) = match path.strip_prefix("/api/v1/workers/") {
        Some("register") if bearer == "Bearer good-key" => {
            let mut known = known.lock().unwrap();
            known.n_joined += 1;
            ("200 OK", json!({ "worker_id": WORKER, "credential": format!("credential-{}", known.n_joined) }))
        }
        Some(rest) if allowed && rest.contains("/artifacts/") => {
            let name = rest.splitn(5, '/').nth(4).unwrap().to_owned();
            let hash = blake3::hash(&body).to_hex().to_string();
            let stored = json!({ "name": name, "size": body.len(), "hash": hash });
            known.lock().unwrap().files.insert(name, body);
            ("200 OK", stored)
        }
        _ => {
            let problem = swarm_proto::Problem::new(swarm_proto::ErrorCode::SpentCredential, "it was revoked");
            ("401 Unauthorized", serde_json::to_value(problem).unwrap())
        }
    };
    let body = answer.to_string();
    let kind = if status.starts_with('2') { "application/json" } else { "application/problem+json" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream.shutdown().await.ok();
}

/// One connection of a worker.
pub(crate) struct Session {
    socket: Socket,
}

impl Session {
    /// The next frame that says something; a report that only wants to be answered is.
    pub(crate) async fn next(&mut self) -> ToCoordinator {
        loop {
            match within(self.try_next()).await.expect("the worker stays connected") {
                ToCoordinator::Report(report) if report == Report::default() => {
                    self.send(&ToWorker::Ack(ReportReply::default())).await;
                }
                frame => return frame,
            }
        }
    }

    /// The next frame; none once the worker is gone.
    pub(crate) async fn try_next(&mut self) -> Option<ToCoordinator> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn hello(&mut self) -> Hello {
        match self.next().await {
            ToCoordinator::Hello(hello) => hello,
            other => panic!("hello comes first, not {other:?}"),
        }
    }

    pub(crate) async fn welcome(&mut self, logs: &[(AttemptRef, u64)]) {
        let logs =
            logs.iter().map(|(attempt, received)| LogReceipt { attempt: *attempt, received: *received }).collect();
        self.send(&ToWorker::Welcome {
            worker_id: worker_id(),
            terms: TERMS,
            stale: Vec::new(),
            cancel: Vec::new(),
            logs,
            paused: false,
        })
        .await;
    }

    pub(crate) async fn send(&mut self, frame: &ToWorker) {
        self.send_text(&serde_json::to_string(frame).unwrap()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        // A process that was killed a moment ago reads no more. Who reads from it next is told.
        drop(self.socket.send(Message::text(text)).await);
    }

    /// Writes bytes past the protocol, and breaks off.
    pub(crate) async fn tear(mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn assign(&mut self, assignment: &Assignment) {
        self.send(&ToWorker::Assign { tasks: vec![assignment.clone()] }).await;
    }

    /// The next report; heartbeats in between are passed over.
    pub(crate) async fn report(&mut self) -> Report {
        within(async {
            loop {
                match self.next().await {
                    ToCoordinator::Report(report) => return report,
                    ToCoordinator::Heartbeat { .. } => {}
                    other => panic!("a report is due, not {other:?}"),
                }
            }
        })
        .await
    }

    /// Takes reports and acknowledges them until this attempt has a result.
    pub(crate) async fn result_of(&mut self, attempt: AttemptRef, ledger: &mut Ledger) -> AttemptResult {
        loop {
            let report = self.report().await;
            let reply = ledger.book(&report);
            if let Some(result) = report.results.into_iter().find(|result| result.attempt == attempt) {
                self.send(&ToWorker::Ack(reply)).await;
                return result;
            }
            self.send(&ToWorker::Ack(reply)).await;
        }
    }
}

/// What the coordinator has stored: lines without gap and double, and results once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) lines: BTreeMap<String, Vec<LogLine>>,
    pub(crate) results: Vec<AttemptResult>,
    /// Lines that came although they were stored.
    pub(crate) n_repeated: usize,
    pub(crate) accepted: Vec<AttemptRef>,
}

impl Ledger {
    pub(crate) fn book(&mut self, report: &Report) -> ReportReply {
        self.accepted.extend(&report.accepted);
        let mut reply = ReportReply::default();
        for batch in &report.logs {
            let stored = self.lines.entry(key(batch.attempt)).or_default();
            for line in &batch.lines {
                if line.n == stored.len() as u64 + 1 {
                    stored.push(line.clone());
                } else {
                    assert!(line.n <= stored.len() as u64, "line {} after {}", line.n, stored.len());
                    self.n_repeated += 1;
                }
            }
            reply.logs.push(LogReceipt { attempt: batch.attempt, received: stored.len() as u64 });
        }
        for result in &report.results {
            if !self.results.iter().any(|known| known.attempt == result.attempt) {
                self.results.push(result.clone());
            }
            reply.results.push(result.attempt);
        }
        reply
    }

    pub(crate) fn received(&self, attempt: AttemptRef) -> u64 {
        self.lines.get(&key(attempt)).map_or(0, |lines| lines.len() as u64)
    }

    /// What the program said.
    pub(crate) fn texts(&self, attempt: AttemptRef) -> Vec<&str> {
        let lines = self.lines.get(&key(attempt)).into_iter().flatten();
        lines.filter(|line| line.stream == LogStream::Stdout).map(|line| line.text.as_str()).collect()
    }
}

fn key(attempt: AttemptRef) -> String {
    format!("{}/{}", attempt.task_id, attempt.attempt)
}

pub(crate) fn worker_id() -> WorkerId {
    WORKER.parse().unwrap()
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Waits for something that nobody tells.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("it never came about that {what}"));
}

/// A shell script as a task for the `command` tool. Its id is like no other: agents end what bears the mark of
/// a run that they lost, and the tests beside this one have agents too.
pub(crate) fn script(number: i64, text: &str) -> Assignment {
    serde_json::from_value(json!({
        "task_id": TaskId::generate(&SystemClock),
        "number": number,
        "attempt": 1,
        "user_id": USER,
        "by_owner": true,
        "tool": "command",
        "description": text,
        "input": { "kind": "command", "argv": ["sh", "-c", text] },
    }))
    .unwrap()
}

/// An agent in this process.
pub(crate) struct TestAgent {
    pub(crate) folder: TempDir,
    pub(crate) handle: AgentHandle,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Result<(), AgentError>>,
}

pub(crate) fn config(url: &str) -> AgentConfig {
    AgentConfig {
        coordinator: Some(url.parse().unwrap()),
        key: Some(Key::new("good-key")),
        slots: Some(4),
        allow_tools: vec!["command".parse().unwrap()],
        ..AgentConfig::default()
    }
}

pub(crate) fn host(folder: &Path) -> Arc<FileHost> {
    Arc::new(FileHost::new(folder, GuardBinary(probe())))
}

pub(crate) fn probe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_swarm-agent-probe"))
}

impl TestAgent {
    pub(crate) async fn start(config: AgentConfig) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config).await
    }

    pub(crate) async fn start_in(folder: TempDir, config: AgentConfig) -> Self {
        let agent = Agent::prepare(config, host(folder.path())).await.unwrap();
        let (handle, shutdown) = (agent.handle(), CancellationToken::new());
        let served = tokio::spawn(agent.serve(shutdown.clone()));
        Self { folder, handle, shutdown, served }
    }

    /// The folder of the only attempt.
    pub(crate) fn run_folder(&self) -> PathBuf {
        run_folder(self.folder.path())
    }

    pub(crate) async fn stop(self) -> Result<(), AgentError> {
        self.shutdown.cancel();
        within(self.served).await.unwrap()
    }
}

pub(crate) fn run_folder(data_dir: &Path) -> PathBuf {
    let mut folders: Vec<_> =
        std::fs::read_dir(data_dir.join("runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

/// Why a run's folder is closed, once it is.
pub(crate) fn closed(run_folder: &Path) -> Option<String> {
    let content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run_folder.join("closed.json")).ok()?).unwrap();
    Some(content["why"].as_str().unwrap().to_owned())
}

/// Whether a process lives; one that only waits to be reaped does not.
pub(crate) fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']))
}
