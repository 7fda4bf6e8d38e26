//! The real Gemini CLI against a scripted model. Its path stands in `GARAGESWARM_TEST_GEMINI`.

use serde_json::json;
use swarm_model::FailureClass;
use swarm_model::task::Outcome;
use swarm_tools::{ToolEvent, ToolSettings};

use crate::agents::{Agent, Real, agent_tests};
use crate::model_server::Step;

const GEMINI: Agent = Agent {
    tool: "gemini-cli",
    variable: "GARAGESWARM_TEST_GEMINI",
    advice: "npm install @google/gemini-cli",
    base: "",
    settings: |settings| ToolSettings { permission_mode: Some("yolo".to_owned()), ..settings },
    write: |file, content| Step::call("write_file", json!({ "file_path": file, "content": content })),
    shell: |command| Step::call("run_shell_command", json!({ "command": command })),
    key: ("x-goog-api-key", "sk-test"),
    survives_cut: false,
    // Each is a process of Node with 300 MB.
    at_once: 4,
};

agent_tests! { GEMINI, version "0." }

#[tokio::test]
async fn its_answer_streams_while_it_is_made() {
    let Some(Real { server, bench }) = GEMINI.real("Say hello", [Step::held("Hello from", " the script.")]).await
    else {
        return;
    };
    let mut going = bench.start();
    // The first words are there before the last ones are made.
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("Hello"))).await;
    server.release();
    let done = going.finish().await;
    assert_eq!(done.result().text, "Hello from the script.");
    // The tool is asked for "flash" and tells which model that is.
    assert!(done.record.model.as_ref().is_some_and(|model| model.starts_with("gemini-")), "{:?}", done.record.model);
}

#[tokio::test]
async fn its_cost_is_counted_from_its_tokens() {
    GEMINI.is_priced().await;
}

#[tokio::test]
async fn an_answer_that_began_anew_is_given_once() {
    let midway = Step::FailMidway { before: vec!["half an ".to_owned()], message: "something broke".to_owned() };
    let Some((_, done)) = GEMINI.run("Say hello", [midway, Step::say("whole answer")]).await else { return };
    assert_eq!(done.result().text, "whole answer");
    assert_eq!(done.text(), "half an whole answer");
}

#[tokio::test]
async fn a_limit_that_tells_its_end_is_passed_on() {
    let Some((_, done)) = GEMINI.run("Say hello", [Step::rate_limited(2)]).await else { return };
    assert_eq!(done.failure().0, FailureClass::RateLimited, "{:?}", done.outcome);
    let Outcome::Failed { resets_at, .. } = done.outcome else { unreachable!() };
    assert!(resets_at.is_some());
}

#[tokio::test]
async fn a_spent_day_is_a_quota_until_the_next() {
    let refusal = Step::Refuse {
        status: 429,
        kind: "insufficient_quota".to_owned(),
        message: "you exceeded your current quota".to_owned(),
        headers: Vec::new(),
    };
    let Some((_, done)) = GEMINI.run("Say hello", [refusal]).await else { return };
    assert_eq!(done.failure().0, FailureClass::Quota, "{:?}", done.outcome);
    let Outcome::Failed { resets_at, .. } = done.outcome else { unreachable!() };
    assert!(resets_at.is_some());
}

#[tokio::test]
async fn it_runs_no_command_that_the_owner_did_not_allow() {
    let script = [(GEMINI.shell)("echo in > in.txt"), (GEMINI.shell)("date > date.txt"), Step::say("done")];
    let Some(mut real) = GEMINI.real("Run it", script).await else { return };
    real.bench.settings.permission_mode = None;
    real.bench.settings.allowed_tools = vec!["run_shell_command(date)".to_owned()];
    let done = real.bench.run().await;
    assert_eq!(done.result().text, "done");
    assert!(!real.bench.work().join("in.txt").exists());
    let failed = |event: &ToolEvent| match event {
        ToolEvent::ToolResult { is_error, .. } => Some(*is_error),
        _ => None,
    };
    let results: Vec<_> = done.events.iter().filter_map(failed).collect();
    assert_eq!(results.first(), Some(&true), "{:?}", done.events);
}

#[tokio::test]
async fn vertex_is_asked_through_the_proxy_too() {
    let Some(mut real) = GEMINI.real("Say hello", [Step::say("Hello.")]).await else { return };
    real.bench.settings.env.insert("GOOGLE_GENAI_USE_VERTEXAI".to_owned(), "true".to_owned());
    let done = real.bench.run().await;
    assert_eq!(done.result().text, "Hello.");
    let question = &real.server.questions()[0];
    assert!(question.line.contains("/publishers/google/models/"), "{}", question.line);
    assert_eq!(question.headers["x-goog-api-key"], "sk-test");
    assert_eq!(done.record.models[0].calls, 1);
}
