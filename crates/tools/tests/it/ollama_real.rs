//! A real Ollama server with a scripted model, where one was built; else the recorded answers in `ollama.rs` stand.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use swarm_model::FailureClass;
use swarm_model::task::{CostKind, Outcome};
use swarm_tools::{ToolEvent, ToolSettings};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Bench, DEADLINE};
use crate::scripted_gguf::scripted_gguf;

const VARIABLE: &str = "GARAGESWARM_TEST_OLLAMA";

/// A server with a home of its own. It and its runners end with it.
struct Ollama {
    url: String,
    server: Child,
    _home: tempfile::TempDir,
    client: reqwest::Client,
}

impl Drop for Ollama {
    fn drop(&mut self) {
        // Asked to, it ends its runners; killed, it would leave them behind.
        if let Some(pid) = self.server.id() {
            // One that is gone needs no signal.
            killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).unwrap_or_default();
        }
    }
}

impl Ollama {
    /// A server with the scripted models, or none where no server was built.
    async fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            println!(
                "left out: a real Ollama; its recorded answers were played (cargo xtask test real --long builds one)"
            );
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        let mut server = Command::new(program)
            .arg("serve")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .env("OLLAMA_MODELS", home.path().join("models"))
            .env("OLLAMA_HOST", "127.0.0.1:0")
            .env("OLLAMA_NO_CLOUD", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = said.next_line().await.unwrap() {
                if let Some((_, rest)) = line.split_once("Listening on ") {
                    return rest.split([' ', '"']).next().unwrap().to_owned();
                }
            }
            panic!("the server ended before it listened");
        };
        let address = tokio::time::timeout(DEADLINE, address).await.unwrap();
        // Nobody reads on; a full pipe would stop the server.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        let this = Self { url: format!("http://{address}"), server, _home: home, client: reqwest::Client::new() };
        this.bring_models().await;
        Some(this)
    }

    async fn bring_models(&self) {
        let model = scripted_gguf();
        let digest = ring::digest::digest(&ring::digest::SHA256, &model);
        let digest: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{}", digest.concat());
        let blob = self.client.post(format!("{}/api/blobs/{digest}", self.url)).body(model).send().await.unwrap();
        assert_eq!(blob.status(), 201);
        for (name, trigger) in [("tiny", "assistant"), ("tiny-endless", "endless"), ("tiny-think", "thinking")] {
            // It takes a model to think whose template shows thoughts.
            let thoughts = "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}";
            let thoughts = if trigger == "thinking" { thoughts } else { "" };
            let template = [MESSAGE, thoughts, "{{ .Content }}{{ end }}<|", trigger, "|>"].concat();
            let wish = json!({
                "model": name, "files": { "tiny.gguf": digest }, "template": template, "stream": false,
                "parameters": { "temperature": 0, "num_thread": 1 },
            });
            let made = self.client.post(format!("{}/api/create", self.url)).json(&wish).send().await.unwrap();
            let (status, text) = (made.status(), made.text().await.unwrap());
            assert!(status.is_success() && text.contains("success"), "{name}: {status} {text}");
        }
    }

    fn ask(&self, model: &str, prompt: &str) -> Bench {
        let mut bench = Bench::prompt("ollama", prompt);
        bench.settings = ToolSettings { url: Some(self.url.clone()), ..ToolSettings::default() };
        bench.request.model = Some(model.to_owned());
        bench
    }

    /// The processes that run models: the server's children.
    fn runners(&self) -> Vec<i32> {
        let server = self.server.id().unwrap();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let threads = std::fs::read_dir(format!("/proc/{server}/task")).unwrap();
        let of_threads =
            threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let all: String = children.into_iter().chain(of_threads).collect::<Vec<_>>().join(" ");
        let mut pids: Vec<i32> = all.split_ascii_whitespace().map(|pid| pid.parse().unwrap()).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// How each message begins.
const MESSAGE: &str = "{{ range .Messages }}<|{{ .Role }}|>";

#[tokio::test]
async fn a_real_server_answers_and_counts() {
    let Some(ollama) = Ollama::start().await else { return };
    let done = ollama.ask("tiny", "hi").run().await;
    assert_eq!(done.result().text, "Hello from a tiny scripted model.");
    assert_eq!(done.text(), done.result().text);
    let usage = &done.result().usage;
    // Seven words and the end.
    assert_eq!((usage.output_tokens, usage.cost_kind), (Some(8), CostKind::None), "{usage:?}");
    assert!(usage.input_tokens.is_some_and(|tokens| tokens > 0), "{usage:?}");
    assert_eq!(done.record.model.as_deref(), Some("tiny"));
}

#[tokio::test]
async fn a_real_server_thinks_aloud_beside_its_answer() {
    let Some(ollama) = Ollama::start().await else { return };
    let done = ollama.ask("tiny-think", "hi").run().await;
    assert!(done.result().text.ends_with("It is 42!"), "{}", done.result().text);
    let shown: Value = ollama
        .client
        .post(format!("{}/api/show", ollama.url))
        .json(&json!({"model": "tiny-think"}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let thinks = shown["capabilities"].as_array().unwrap().contains(&json!("thinking"));
    let thought = done.events.iter().any(|event| matches!(event, ToolEvent::Thinking(_)));
    assert_eq!((thinks, thought), (true, true), "{:?}", done.events);
}

#[tokio::test]
async fn a_model_that_is_not_there_is_said_by_name() {
    let Some(ollama) = Ollama::start().await else { return };
    let done = ollama.ask("nosuch", "hi").run().await;
    assert_eq!(done.failure(), (FailureClass::ToolMissing, "Ollama answered 404: model 'nosuch' not found"));
}

#[tokio::test]
async fn a_cancel_stops_an_endless_model() {
    let Some(ollama) = Ollama::start().await else { return };
    let bench = ollama.ask("tiny-endless", "count");
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("n7"))).await;
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }));
    assert!(done.partial().starts_with(" n0 n1 n2"), "{}", done.partial());
    // While it went on, a second question to it would wait for ever.
    let bench = ollama.ask("tiny-endless", "again");
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("n3"))).await;
    going.cancel.cancel();
    going.finish().await;
}

#[tokio::test]
async fn a_runner_that_dies_is_a_failure_of_the_server_and_the_next_question_is_answered() {
    let Some(ollama) = Ollama::start().await else { return };
    let bench = ollama.ask("tiny-endless", "count");
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("n5"))).await;
    let runners = ollama.runners();
    assert_eq!(runners.len(), 1, "{runners:?}");
    kill(Pid::from_raw(runners[0]), Signal::SIGKILL).unwrap();
    let done = going.finish().await;
    assert_eq!(done.failure().0, FailureClass::Server, "{done:?}");
    assert!(done.partial().starts_with(" n0 n1"), "{}", done.partial());
    let done = tokio::time::timeout(Duration::from_secs(60), ollama.ask("tiny", "hi").run()).await.unwrap();
    assert_eq!(done.result().text, "Hello from a tiny scripted model.");
}

#[tokio::test]
async fn a_limit_of_bytes_stops_an_endless_model() {
    let Some(ollama) = Ollama::start().await else { return };
    let mut bench = ollama.ask("tiny-endless", "count");
    bench.request.limits.output_bytes = Some(2_000);
    let done = bench.run().await;
    assert_eq!(done.failure().0, FailureClass::Budget);
}
