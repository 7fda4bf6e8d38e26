//! The real Claude Code against a scripted model. Its path stands in `GARAGESWARM_TEST_CLAUDE`.

use serde_json::json;
use swarm_model::FailureClass;
use swarm_model::task::{CostKind, Outcome};
use swarm_tools::{ToolEvent, ToolSettings};

use crate::agents::{Agent, Real, agent_tests};
use crate::harness::Done;
use crate::model_server::Step;

const CLAUDE: Agent = Agent {
    tool: "claude-code",
    variable: "GARAGESWARM_TEST_CLAUDE",
    advice: "npm install @anthropic-ai/claude-code",
    base: "",
    settings: |settings| ToolSettings { allowed_tools: vec!["Bash".to_owned(), "Write".to_owned()], ..settings },
    write: |file, content| Step::call("Write", json!({ "file_path": file, "content": content })),
    shell: |command| Step::call("Bash", json!({ "command": command, "description": "a command" })),
    key: ("x-api-key", "sk-test"),
    survives_cut: true,
    at_once: 4,
};

agent_tests! { CLAUDE, version "2." }

#[tokio::test]
async fn its_answer_streams_while_it_is_made() {
    let Some(Real { server, bench }) = CLAUDE.real("Say hello", [Step::held("Hello from", " the script.")]).await
    else {
        return;
    };
    let mut going = bench.start();
    // The first words are there before the last ones are made.
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("Hello"))).await;
    server.release();
    let done = going.finish().await;
    assert_eq!(done.result().text, "Hello from the script.");
    assert_eq!(done.text(), "Hello from the script.");
    assert_eq!(done.result().usage.cost_kind, CostKind::Priced);
    assert_eq!(done.record.turns, Some(1));
}

#[tokio::test]
async fn a_denied_call_is_noted() {
    let Some(mut real) = CLAUDE.real("Run a command", []).await else { return };
    real.bench.settings.allowed_tools.clear();
    real.server.script([(CLAUDE.shell)("sh -c 'date > x'"), Step::say("I may not.")]);
    let done = real.bench.run().await;
    assert_eq!(done.result().data, Some(json!({ "permission_denials": ["Bash"] })));
    assert!(!real.bench.work().join("x").exists());
}

#[tokio::test]
async fn the_cost_of_a_session_is_counted_once() {
    let Some((mut real, first)) = CLAUDE.run("One", [Step::say("first")]).await else { return };
    real.bench.request.session = first.record.session.clone();
    real.bench.request.attempt = 2;
    real.server.script([Step::say("second")]);
    let second = real.bench.run().await;
    assert_eq!(second.record.session, first.record.session);
    // The tool counts a session's whole cost in fractions of a microdollar: what one run rounds up, the next has less.
    let cost = |run: &Done| run.result().usage.cost_microusd.unwrap();
    assert!(cost(&second).abs_diff(cost(&first)) <= 1, "{} after {}", cost(&second), cost(&first));
}

#[tokio::test]
async fn a_spent_quota_says_when_it_starts_anew() {
    let Some(mut real) = CLAUDE.real("Say hello", [Step::quota_spent(1_900_000_000)]).await else { return };
    // Only a subscription has windows.
    real.bench.settings.api_key_file = None;
    real.bench.settings.env.insert("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "sk-ant-oat01-test".to_owned());
    let done = real.bench.run().await;
    assert_eq!(done.failure().0, FailureClass::Quota);
    let Outcome::Failed { resets_at, .. } = done.outcome else { unreachable!() };
    assert_eq!(resets_at.unwrap().as_micros(), 1_900_000_000_000_000);
}

#[tokio::test]
async fn an_overload_is_the_servers() {
    let Some((_, done)) = CLAUDE.run("Say hello", [Step::outage(529)]).await else { return };
    assert_eq!(done.failure().0, FailureClass::Server, "{:?}", done.outcome);
}
