//! The real Claude Code against a scripted model. Its path stands in `GARAGESWARM_TEST_CLAUDE`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use swarm_model::FailureClass;
use swarm_model::task::{CostKind, Outcome};
use swarm_model::tool::ToolHealth;
use swarm_tools::{Registry, ToolEvent, ToolSettings, Variables};

use crate::harness::{Bench, Done, lives, pids_in};
use crate::model_server::{ModelServer, Step};

fn program() -> Option<PathBuf> {
    let program = std::env::var_os("GARAGESWARM_TEST_CLAUDE").map(PathBuf::from);
    if program.is_none() {
        println!(
            "left out: Claude Code is not installed (npm install @anthropic-ai/claude-code, then set GARAGESWARM_TEST_CLAUDE to its path)"
        );
    }
    program
}

struct Real {
    server: ModelServer,
    bench: Bench,
}

/// A run of the real tool, or none where it is not installed.
async fn real(prompt: &str, script: impl IntoIterator<Item = Step>) -> Option<Real> {
    let program = program()?;
    let server = ModelServer::start(script).await.unwrap();
    let mut bench = Bench::prompt("claude-code", prompt);
    let key = bench.folder.path().join("key");
    std::fs::write(&key, "sk-test\n").unwrap();
    bench.settings = ToolSettings {
        path: Some(program),
        url: Some(server.url()),
        api_key_file: Some(key),
        allowed_tools: vec!["Bash".to_owned(), "Write".to_owned()],
        ..ToolSettings::default()
    };
    Some(Real { server, bench })
}

async fn run(prompt: &str, script: impl IntoIterator<Item = Step>) -> Option<(Real, Done)> {
    let real = real(prompt, script).await?;
    let done = real.bench.run().await;
    Some((real, done))
}

#[tokio::test]
async fn its_answer_streams_while_it_is_made() {
    let Some(Real { server, bench }) = real("Say hello", [Step::held("Hello from", " the script.")]).await else {
        return;
    };
    let mut going = bench.start();
    // The first words are there before the last ones are made.
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("Hello"))).await;
    server.release();
    let done = going.finish().await;
    assert_eq!(done.result().text, "Hello from the script.");
    assert_eq!(done.text(), "Hello from the script.");
    let usage = &done.result().usage;
    assert_eq!((usage.output_tokens, usage.cost_kind), (Some(10), CostKind::Reported), "{usage:?}");
    let record = &done.record;
    assert!(record.session.is_some() && record.tool_version.is_some() && record.model.is_some(), "{record:?}");
    assert_eq!(record.turns, Some(1));
    let question = &server.questions()[0];
    assert_eq!(question.headers["x-api-key"], "sk-test");
    assert!(question.body.to_string().contains("Say hello"));
}

#[tokio::test]
async fn it_writes_a_file_into_its_working_folder() {
    let path = "note.txt";
    let Some(mut real) = real("Write a note", []).await else { return };
    let file = real.bench.work().join(path);
    real.server.script([
        Step::call("Write", json!({ "file_path": file, "content": "written by a script\n" })),
        Step::say("It is written."),
    ]);
    real.bench.request.attempt = 2;
    let done = real.bench.run().await;
    assert_eq!(done.result().text, "It is written.");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "written by a script\n");
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::ToolCall { name, .. } if name == "Write")));
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::ToolResult { is_error: false, .. })));
    assert_eq!(done.record.tool_calls, Some(1));
}

#[tokio::test]
async fn a_denied_call_is_noted() {
    let Some(mut real) = real("Run a command", []).await else { return };
    real.bench.settings.allowed_tools.clear();
    real.server.script([
        Step::call("Bash", json!({ "command": "sh -c 'date > x'", "description": "x" })),
        Step::say("I may not."),
    ]);
    let done = real.bench.run().await;
    assert_eq!(done.result().data, Some(json!({ "permission_denials": ["Bash"] })));
    assert!(!real.bench.work().join("x").exists());
}

#[tokio::test]
async fn a_session_goes_on_and_its_cost_is_counted_once() {
    let Some((mut real, first)) = run("One", [Step::say("first")]).await else { return };
    real.bench.request.session = first.record.session.clone();
    real.bench.request.attempt = 2;
    real.server.script([Step::say("second")]);
    let second = real.bench.run().await;
    assert_eq!(second.result().text, "second");
    assert_eq!(second.record.session, first.record.session);
    assert!(real.server.questions().last().unwrap().body.to_string().contains("first"), "the tool forgot");
    assert_eq!(second.result().usage.output_tokens, first.result().usage.output_tokens);
    // The tool counts a session's whole cost in fractions of a microdollar: what one run rounds up, the next has less.
    let cost = |run: &Done| run.result().usage.cost_microusd.unwrap();
    assert!(cost(&second).abs_diff(cost(&first)) <= 1, "{} after {}", cost(&second), cost(&first));
}

#[tokio::test]
async fn one_rate_limit_is_waited_for() {
    let Some((_, done)) = run("Say hello", [Step::rate_limited(1), Step::say("after the wait")]).await else { return };
    assert_eq!(done.result().text, "after the wait");
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::Notice(text) if text.contains("429"))));
}

#[tokio::test]
async fn a_rate_limit_for_ever_is_one() {
    let Some((_, done)) = run("Say hello", [Step::rate_limited(0)]).await else { return };
    assert_eq!(done.failure().0, FailureClass::RateLimited);
}

#[tokio::test]
async fn a_spent_quota_says_when_it_starts_anew() {
    let Some(mut real) = real("Say hello", [Step::quota_spent(1_900_000_000)]).await else { return };
    // Only a subscription has windows.
    real.bench.settings.api_key_file = None;
    real.bench.settings.env.insert("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "sk-ant-oat01-test".to_owned());
    let done = real.bench.run().await;
    assert_eq!(done.failure().0, FailureClass::Quota);
    let Outcome::Failed { resets_at, .. } = done.outcome else { unreachable!() };
    assert_eq!(resets_at.unwrap().as_micros(), 1_900_000_000_000_000);
}

#[tokio::test]
async fn a_refused_credential_is_one() {
    let Some((_, done)) = run("Say hello", [Step::unauthorized()]).await else { return };
    assert_eq!(done.failure().0, FailureClass::Auth);
}

#[tokio::test]
async fn an_outage_is_the_servers() {
    for status in [500, 529] {
        let Some((_, done)) = run("Say hello", [Step::outage(status)]).await else { return };
        assert_eq!(done.failure().0, FailureClass::Server, "{status}: {:?}", done.outcome);
    }
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_again() {
    let cut = Step::Cut(vec!["half an ".to_owned()]);
    let Some((_, done)) = run("Say hello", [cut, Step::say("whole")]).await else { return };
    assert_eq!(done.result().text, "whole");
}

#[tokio::test]
async fn a_cancel_in_the_middle_of_a_nested_command_leaves_nobody() {
    let Some(real) = real("Run it", []).await else { return };
    let command = "sh -c 'echo $$ >> pids; setsid sh -c \"echo \\$\\$ >> pids; exec sleep 1000\" & exec sleep 1001'";
    real.server.script([Step::call("Bash", json!({ "command": command, "description": "nested" })), Step::say("done")]);
    let mut going = real.bench.start();
    going.until(|event| matches!(event, ToolEvent::ToolCall { name, .. } if name == "Bash")).await;
    let pids = pids_in(&real.bench.work().join("pids"), 2).await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    let asked = Instant::now();
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{:?}", done.outcome);
    let left: Vec<_> = pids.iter().filter(|pid| lives(**pid)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(swarm_tools::guard::sweep_marked(&real.bench.request.mark_prefix()).unwrap(), 0);
}

#[tokio::test]
async fn it_is_detected_with_its_version() {
    let Some(real) = real("x", []).await else { return };
    let registry = Registry::standard(&Variables::default());
    let adapter = registry.get(&"claude-code".parse().unwrap()).unwrap();
    let info = adapter.detect(&real.bench.settings).await;
    assert_eq!(info.health, ToolHealth::Ready);
    assert!(info.version.is_some_and(|version| version.starts_with("2.")));
    let without_key = ToolSettings { api_key_file: None, ..real.bench.settings.clone() };
    assert!(matches!(adapter.detect(&without_key).await.health, ToolHealth::NeedsLogin { .. }));
}
