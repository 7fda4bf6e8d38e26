//! The real Claude Code, Codex and Gemini CLI, killed with their worker in the middle of a task. Their paths stand in
//! `GARAGESWARM_TEST_CLAUDE`, `GARAGESWARM_TEST_CODEX` and `GARAGESWARM_TEST_GEMINI`.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

use std::path::PathBuf;

use serde_json::json;
use swarm_model::task::Outcome;
use swarm_proto::worker::Assignment;

use crate::coordinator::*;
use crate::crash::Process;
use crate::folders::prompt;
use crate::model_server::{ModelServer, Step};

/// How one tool differs from the others.
struct Real {
    tool: &'static str,
    variable: &'static str,
    advice: &'static str,
    /// Behind the address of the scripted model.
    base: &'static str,
    /// What lets it run commands.
    settings: &'static str,
    /// The model's call that runs a command.
    shell: fn(&str) -> Step,
}

const CLAUDE: Real = Real {
    tool: "claude-code",
    variable: "GARAGESWARM_TEST_CLAUDE",
    advice: "npm install @anthropic-ai/claude-code",
    base: "",
    settings: "allowed_tools = [\"Bash\"]",
    shell: |command| Step::call("Bash", json!({ "command": command, "description": "a command" })),
};

const CODEX: Real = Real {
    tool: "codex",
    variable: "GARAGESWARM_TEST_CODEX",
    advice: "npm install @openai/codex",
    base: "/v1",
    settings: "",
    shell: |command| Step::call("exec_command", json!({ "cmd": command })),
};

const GEMINI: Real = Real {
    tool: "gemini-cli",
    variable: "GARAGESWARM_TEST_GEMINI",
    advice: "npm install @google/gemini-cli",
    base: "",
    settings: "permission_mode = \"yolo\"",
    shell: |command| Step::call("run_shell_command", json!({ "command": command })),
};

/// Killed while it waits for its model's second answer; gives what the model is asked when the task comes back. A tool
/// that is to forget loses what it kept in between.
async fn asked_again(real: &Real, forgets: bool) -> Option<String> {
    let Some(program) = std::env::var_os(real.variable).map(PathBuf::from) else {
        println!("left out: {} is not installed ({}, then set {} to its path)", real.tool, real.advice, real.variable);
        return None;
    };
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (data, key, home) = (folder.path().join("data"), folder.path().join("key"), folder.path().join("person"));
    std::fs::create_dir_all(&data).unwrap();
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(&key, "sk-test\n").unwrap();
    let server = ModelServer::start([]).await.unwrap();
    let toml = format!(
        "[tools.{}]\nenabled = true\npath = \"{}\"\nurl = \"{}{}\"\napi_key_file = \"{}\"\n{}\nenv = {{ HOME = \"{}\" }}\n",
        real.tool,
        program.display(),
        server.url(),
        real.base,
        key.display(),
        real.settings,
        home.display()
    );
    std::fs::write(data.join("worker.toml"), toml).unwrap();
    server.script([(real.shell)("true; echo half > half.txt"), Step::held("Wait", "never")]);
    let mut process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    let task = Assignment { tool: real.tool.parse().unwrap(), ..prompt(1, "Write a book.") };
    session.assign(&task).await;
    within(server.wait_held(1)).await;
    process.kill();
    let mut state: Vec<_> = std::fs::read_dir(data.join("state").join(real.tool)).unwrap().collect();
    let state = state.pop().unwrap().unwrap().path();

    server.script([Step::say("The book is written.")]);
    let _process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    // By now nobody of the earlier run writes there any more.
    if forgets {
        std::fs::remove_dir_all(&state).unwrap();
    }
    let again = Assignment { attempt: 2, ..task };
    session.assign(&again).await;
    let result = session.result_of(again.attempt_ref(), &mut Ledger::default()).await;
    let Outcome::Completed { result } = &result.outcome else { panic!("{result:?}") };
    assert_eq!(result.text, "The book is written.");
    assert!(result.artifacts.iter().any(|artifact| artifact.name == "half.txt"), "{:?}", result.artifacts);
    Some(server.questions().last().unwrap().body.to_string())
}

async fn goes_on(real: &Real) {
    let Some(asked) = asked_again(real, false).await else { return };
    assert!(asked.contains("echo half > half.txt"), "what was said before is not there: {asked}");
    assert!(asked.contains("Your work on this task was interrupted"), "{asked}");
}

async fn begins_anew(real: &Real) {
    let Some(asked) = asked_again(real, true).await else { return };
    assert!(!asked.contains("echo half > half.txt"), "{asked}");
    assert!(asked.contains("An earlier attempt at this task was interrupted"), "{asked}");
    assert!(asked.contains("half.txt") && asked.contains("Write a book."), "{asked}");
}

#[tokio::test]
async fn claude_code_goes_on_where_it_was_killed() {
    goes_on(&CLAUDE).await;
}

#[tokio::test]
async fn claude_code_begins_anew_without_its_session() {
    begins_anew(&CLAUDE).await;
}

#[tokio::test]
async fn codex_goes_on_where_it_was_killed() {
    goes_on(&CODEX).await;
}

#[tokio::test]
async fn codex_begins_anew_without_its_session() {
    begins_anew(&CODEX).await;
}

#[tokio::test]
async fn gemini_cli_goes_on_where_it_was_killed() {
    goes_on(&GEMINI).await;
}

#[tokio::test]
async fn gemini_cli_begins_anew_without_its_session() {
    begins_anew(&GEMINI).await;
}
