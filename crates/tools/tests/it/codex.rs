//! The real Codex against a scripted model. Its path stands in `GARAGESWARM_TEST_CODEX`.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use swarm_model::FailureClass;
use swarm_model::task::Outcome;
use swarm_model::time::{Clock, SystemClock};
use swarm_tools::{ToolEvent, ToolSettings};

use crate::agents::{Agent, agent_tests};
use crate::model_server::Step;

const CODEX: Agent = Agent {
    tool: "codex",
    variable: "GARAGESWARM_TEST_CODEX",
    advice: "npm install @openai/codex",
    base: "/v1",
    settings: |settings| settings,
    write: |file, content| {
        let added = content.trim_end().replace('\n', "\n+");
        let patch = format!("*** Begin Patch\n*** Add File: {}\n+{added}\n*** End Patch\n", file.display());
        Step::call("apply_patch", Value::String(patch))
    },
    shell: |command| Step::call("exec_command", json!({ "cmd": command })),
    key: ("authorization", "Bearer sk-test"),
    survives_cut: true,
    at_once: 10,
};

agent_tests! { CODEX, version "0." }

#[tokio::test]
async fn its_cost_is_counted_from_its_tokens() {
    CODEX.is_priced().await;
}

#[tokio::test]
async fn a_server_of_ones_own_is_asked_without_a_key() {
    let Some(mut real) = CODEX.real("Say hello", [Step::say("Hello.")]).await else { return };
    real.bench.settings.api_key_file = None;
    let done = real.bench.run().await;
    assert_eq!(done.result().text, "Hello.");
    assert_eq!(done.record.model.as_deref(), Some("gpt-5.5"));
    assert!(!real.server.questions()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_spent_quota_says_when_it_starts_anew() {
    let resets_at = SystemClock.now() + Duration::from_secs(2 * 60 * 60);
    let step = Step::quota_spent(resets_at.as_micros() / 1_000_000);
    let Some((_, done)) = CODEX.run("Say hello", [step]).await else { return };
    assert_eq!(done.failure().0, FailureClass::Quota, "{:?}", done.outcome);
    let Outcome::Failed { resets_at: Some(told), .. } = done.outcome else { panic!("no time: {:?}", done.outcome) };
    // Its words leave out the seconds: the next minute is the first that is safe.
    assert!(told.since(resets_at) <= Duration::from_secs(60) && told + Duration::from_secs(1) > resets_at, "{told}");
}

#[tokio::test]
async fn its_sandbox_keeps_commands_in_the_working_folder_and_off_the_network() {
    // The folder for temporary files is open to them.
    let outside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("codex-{}", std::process::id()));
    let command = format!(
        "echo in > in.txt; echo out > {}; (exec 3<>/dev/tcp/127.0.0.1/9) 2>&1 | grep -o 'not permitted'",
        outside.display()
    );
    let Some((real, done)) = CODEX.run("Run it", [(CODEX.shell)(&command), Step::say("done")]).await else { return };
    assert_eq!(done.result().text, "done");
    assert!(real.bench.work().join("in.txt").exists());
    assert!(!outside.exists());
    let told = done.events.iter().find_map(|event| match event {
        ToolEvent::ToolResult { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert!(
        told.is_some_and(|told| told.contains("Read-only file system") && told.contains("not permitted")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_read_only_one_writes_nothing() {
    let Some(mut real) = CODEX.real("Run it", [(CODEX.shell)("echo in > in.txt"), Step::say("done")]).await else {
        return;
    };
    real.bench.settings.permission_mode = Some("read-only".to_owned());
    let done = real.bench.run().await;
    assert_eq!(done.result().text, "done");
    assert!(!real.bench.work().join("in.txt").exists());
}

#[tokio::test]
async fn an_address_where_nobody_answers_is_not_waited_for() {
    let Some(mut real) = CODEX.real("Say hello", []).await else { return };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    real.bench.settings = ToolSettings { url: Some(format!("http://{nobody}/v1")), ..real.bench.settings.clone() };
    let done = real.bench.run().await;
    assert_eq!(done.failure().0, FailureClass::Network, "{:?}", done.outcome);
}

#[tokio::test]
async fn a_session_that_is_not_there_is_a_failure_with_its_words() {
    let Some(mut real) = CODEX.real("Go on", []).await else { return };
    real.bench.request.session = Some("01900000-0000-7000-8000-000000000001".to_owned());
    let done = real.bench.run().await;
    assert_eq!(done.failure().0, FailureClass::ProcessFailed);
    assert!(done.failure().1.contains("no rollout found"), "{:?}", done.outcome);
}
