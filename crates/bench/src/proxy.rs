//! What stands between a tool and its provider: how much later the first byte comes through a run's proxy, how much
//! passes in a second, and what a run costs beside the program that it runs.
//!
//! This program is the tool as well ([`be_the_tool`]): started by the real adapter under the real guard, it asks a
//! provider on loopback through the proxy that it was told of, and directly for the floor, by turns.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use swarm_model::task::{Limits, Outcome, TaskInput};
use swarm_model::time::SystemClock;
use swarm_model::{TaskId, ToolName, UserId};
use swarm_tools::{Confinement, GuardBinary, Registry, RunDirs, RunRequest, ToolSettings, Variables, supervise};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::sample::{Row, Samples, millis};

/// The variable that makes this program the tool: how often it asks for a first byte.
pub(crate) const BE_THE_TOOL: &str = "GARAGESWARM_BENCH_ASK";
/// The variable with the provider's own address.
const DIRECT: &str = "GARAGESWARM_BENCH_DIRECT";
const CLAUDE: &str = "GARAGESWARM_TEST_CLAUDE";
const RESULT: &str =
    r#"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"session_id":"s","result":"#;
const ANSWER: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",",
    "\"model\":\"claude-sonnet-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,",
    "\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello.\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":3}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);
/// Bytes of text in a piece of a long answer: as models write them, and as much at once as there ever is.
const PIECES: [usize; 2] = [40, 4_000];
/// Bytes of a long answer.
const LONG: usize = 128 * 1024 * 1024;
const RUNS: usize = 20;

/// What the tool found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// First bytes, direct and through the proxy, in microseconds: the half of all samples and 99 of 100 lie below.
    direct_us: [u64; 2],
    through_us: [u64; 2],
    /// Megabytes in a second, direct and through the proxy, for each size of pieces.
    direct_mb: Vec<f64>,
    through_mb: Vec<f64>,
}

pub(crate) async fn measure(binary: &Path, rounds: usize) -> Result<Vec<Row>> {
    let provider = Provider::start().await?;
    let folder = tempfile::tempdir()?;
    let tool = folder.path().join(format!("claude{}", std::env::consts::EXE_SUFFIX));
    std::fs::hard_link(std::env::current_exe()?, &tool)
        .or_else(|_| std::fs::copy(std::env::current_exe()?, &tool).map(drop))?;
    let run = Run { binary, tool: &tool, provider: &provider.url, folder: folder.path() };
    let found: Found = serde_json::from_str(&run.under_the_guard(rounds).await?)?;
    let mut rows: Vec<Row> = [("p50", 0, 2_000), ("p99", 1, 10_000)]
        .map(|(name, index, aim_us)| {
            let (direct, through) = (found.direct_us[index], found.through_us[index]);
            Row {
                name: format!("first byte through the proxy, {name}"),
                value: millis(Duration::from_micros(through)),
                floor: millis(Duration::from_micros(direct)),
                aim: format!("< {} ms above the floor", aim_us / 1_000),
                is_met: through.saturating_sub(direct) < aim_us,
            }
        })
        .into();
    for (index, piece) in PIECES.into_iter().enumerate() {
        let (direct, through) = (found.direct_mb[index], found.through_mb[index]);
        rows.push(Row {
            name: format!("through the proxy, pieces of {piece} bytes"),
            value: format!("{through:.0} MB/s"),
            floor: format!("{direct:.0} MB/s"),
            aim: "> 200 MB/s".to_owned(),
            is_met: through > 200.0,
        });
    }
    rows.push(run.overhead("a program that does nothing", RUNS).await?);
    if let Some(claude) = std::env::var_os(CLAUDE).map(PathBuf::from) {
        rows.push(Run { tool: &claude, ..run }.overhead("Claude Code", RUNS / 4).await?);
    }
    Ok(rows)
}

/// Runs of one tool.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    binary: &'a Path,
    tool: &'a Path,
    provider: &'a str,
    folder: &'a Path,
}

impl Run<'_> {
    /// How much longer a run takes than the program by itself.
    async fn overhead(&self, name: &str, runs: usize) -> Result<Row> {
        let (mut by_hand, mut supervised) = (Samples::default(), Samples::default());
        for _ in 0..runs {
            let started = Instant::now();
            self.by_hand().await?;
            by_hand.push(started.elapsed());
            let started = Instant::now();
            self.under_the_guard(0).await?;
            supervised.push(started.elapsed());
        }
        let (value, floor) = (supervised.percentile(50), by_hand.percentile(50));
        Ok(Row {
            name: format!("a run of {name}, p50"),
            value: millis(value),
            floor: millis(floor),
            aim: "< 50 ms above the floor".to_owned(),
            is_met: value.saturating_sub(floor) < Duration::from_millis(50),
        })
    }

    /// The program as somebody at a terminal starts it.
    async fn by_hand(&self) -> Result<()> {
        let mut command = tokio::process::Command::new(self.tool);
        command
            .args(["-p", "--output-format=stream-json", "--verbose", "--include-partial-messages", "--model=sonnet"])
            .args(["--setting-sources=", "--strict-mcp-config"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder)
            .env("CLAUDE_CONFIG_DIR", self.folder.join("by-hand"))
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("ANTHROPIC_BASE_URL", self.provider)
            .env("ANTHROPIC_API_KEY", "sk-bench")
            .env(BE_THE_TOOL, "0")
            .env(DIRECT, self.provider)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(b"hello").await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            bail!("the program ended with {}", output.status);
        }
        Ok(())
    }

    /// The same as a run of a worker. Gives its answer.
    async fn under_the_guard(&self, rounds: usize) -> Result<String> {
        let variables = [(BE_THE_TOOL, rounds.to_string()), (DIRECT, self.provider.to_owned())];
        let variables = variables.into_iter().chain([("ANTHROPIC_API_KEY", "sk-bench".to_owned())]);
        let settings = ToolSettings {
            path: Some(self.tool.to_owned()),
            url: Some(self.provider.to_owned()),
            own_login: Some(false),
            env: variables.map(|(name, value)| (name.to_owned(), value)).collect(),
            ..ToolSettings::default()
        };
        let task_id = TaskId::generate(&SystemClock);
        let dir = |name: &str| self.folder.join(format!("{task_id}-{name}"));
        let request = RunRequest {
            task_id,
            attempt: 1,
            user_id: UserId::generate(&SystemClock),
            description: "hello".to_owned(),
            input: TaskInput::default(),
            tool: ToolName::CLAUDE_CODE.parse()?,
            model: None,
            limits: Limits::default(),
            session: None,
            confinement: Confinement::default(),
            dirs: RunDirs {
                work: dir("work"),
                tmp: dir("tmp"),
                state: self.folder.join("state"),
                control: dir("control"),
            },
        };
        let registry = Registry::standard(&Variables::default());
        let adapter = registry.get(&request.tool).context("there is no such tool")?;
        let plan = adapter.plan(&request, &settings).map_err(|refused| anyhow!("the run was refused: {refused:?}"))?;
        let (sender, mut events) = mpsc::channel(1024);
        let guard = GuardBinary(self.binary.to_owned());
        let supervised = supervise(plan, &request, &guard, sender, CancellationToken::new());
        let heard = async { while events.recv().await.is_some() {} };
        let ((outcome, _), ()) = tokio::join!(Box::pin(supervised), heard);
        match outcome {
            Outcome::Completed { result } => Ok(result.text),
            other => bail!("the run did not end well: {other:?}"),
        }
    }
}

/// A provider that answers at once, shortly or at length.
#[derive(Debug)]
struct Provider {
    url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Provider {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Ok(Self { url, serving })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::default();
    loop {
        let (head, body) = reader.message(&mut stream).await?;
        let long =
            PIECES.into_iter().find(|piece| String::from_utf8_lossy(&body).contains(&format!("pieces of {piece} ")));
        let is_question = head.starts_with("POST");
        let Some(piece) = long else {
            let answer = if is_question { ANSWER } else { "" };
            stream.write_all(format!("{}{answer}", answer_head(answer.len())).as_bytes()).await?;
            continue;
        };
        let event = format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}\n\n",
            "x".repeat(piece)
        );
        let chunk = event.repeat(64 * 1024 / event.len() + 1);
        let chunks = LONG / chunk.len() + 1;
        stream.write_all(answer_head(chunks * chunk.len()).as_bytes()).await?;
        for _ in 0..chunks {
            stream.write_all(chunk.as_bytes()).await?;
        }
    }
}

fn answer_head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n")
}

/// Reads messages of HTTP that say how long they are.
#[derive(Debug, Default)]
struct Reader {
    rest: Vec<u8>,
}

impl Reader {
    /// A message, whole.
    async fn message(&mut self, stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
        let (head, length) = self.head(stream).await?;
        while self.rest.len() < length {
            self.more(stream).await?;
        }
        Ok((head, self.rest.drain(..length).collect()))
    }

    /// The head of a message, and the length of its body.
    async fn head(&mut self, stream: &mut TcpStream) -> Result<(String, usize)> {
        let end = loop {
            if let Some(end) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(stream).await?;
        };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        self.rest.drain(..end);
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
        });
        Ok((head, length.unwrap_or(0)))
    }

    async fn more(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.rest.reserve(64 * 1024);
        if stream.read_buf(&mut self.rest).await? == 0 {
            bail!("the connection is closed");
        }
        Ok(())
    }
}

/// Asks, measures, and says what it found as Claude Code would say its answer.
#[expect(clippy::print_stdout, reason = "it stands in for a tool")]
pub(crate) async fn be_the_tool(rounds: &str) -> Result<()> {
    let rounds: usize = rounds.parse()?;
    let found = if rounds == 0 { None } else { Some(ask(rounds).await?) };
    let text = found.map_or_else(|| Ok("done".to_owned()), |found| serde_json::to_string(&found))?;
    println!("{RESULT}{}}}", serde_json::Value::from(text));
    Ok(())
}

async fn ask(rounds: usize) -> Result<Found> {
    let token = std::env::var("ANTHROPIC_API_KEY")?;
    let address = |name: &str| -> Result<String> {
        Ok(std::env::var(name)?.strip_prefix("http://").context("an address of HTTP")?.to_owned())
    };
    let mut ways = [Way::to(&address(DIRECT)?, &token).await?, Way::to(&address("ANTHROPIC_BASE_URL")?, &token).await?];
    let mut samples = [Samples::default(), Samples::default()];
    for round in 0..rounds + rounds / 10 {
        for (way, samples) in ways.iter_mut().zip(&mut samples) {
            let (first, _) = way.ask("be short").await?;
            if round >= rounds / 10 {
                samples.push(first);
            }
        }
    }
    let mut speeds = [Vec::new(), Vec::new()];
    for piece in PIECES {
        for (way, speeds) in ways.iter_mut().zip(&mut speeds) {
            let started = Instant::now();
            let (_, n_bytes) = way.ask(&format!("answer in pieces of {piece} bytes")).await?;
            speeds.push(n_bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
        }
    }
    let [mut direct, mut through] = samples;
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let [direct_mb, through_mb] = speeds;
    Ok(Found {
        direct_us: [50, 99].map(|percent| micros(direct.percentile(percent))),
        through_us: [50, 99].map(|percent| micros(through.percentile(percent))),
        direct_mb,
        through_mb,
    })
}

/// A kept connection to somebody who answers.
#[derive(Debug)]
struct Way {
    stream: TcpStream,
    reader: Reader,
    token: String,
}

impl Way {
    async fn to(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, reader: Reader::default(), token: token.to_owned() })
    }

    /// Asks, and tells when the first byte of the answer came and how many came in all.
    async fn ask(&mut self, prompt: &str) -> Result<(Duration, usize)> {
        let messages = serde_json::json!([{ "role": "user", "content": prompt }]);
        let body =
            serde_json::json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": messages }).to_string();
        let Self { stream, reader, token } = self;
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {token}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let started = Instant::now();
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let (head, length) = reader.head(stream).await?;
        if !head.contains(" 200 ") || length == 0 {
            bail!("no answer: {head}");
        }
        let mut seen = reader.rest.len();
        reader.rest.clear();
        if seen == 0 {
            seen = stream.read_buf(&mut reader.rest).await?;
        }
        let first = started.elapsed();
        let mut chunk = vec![0; 256 * 1024];
        reader.rest.clear();
        while seen < length {
            match stream.read(&mut chunk).await? {
                0 => bail!("the answer ended early"),
                n => seen += n,
            }
        }
        Ok((first, seen))
    }
}
