//! The place of a command-line agent taken by a script: the ends that real ones show only now and then.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use swarm_model::FailureClass;
use swarm_model::task::Outcome;
use swarm_tools::{ToolEvent, ToolSettings};

use crate::harness::{Bench, lives, pids_in};

const RESULT: &str =
    r#"echo '{"type":"result","subtype":"success","is_error":false,"result":"the answer","num_turns":1}'"#;
const TEXT: &str = r#"echo '{"type":"assistant","parent_tool_use_id":null,"message":{"id":"m","model":"x","content":[{"type":"text","text":"so far"}]}}'"#;

/// A run of a script in Claude Code's place.
fn bench(script: &str) -> Bench {
    bench_of("claude-code", script)
}

/// A run of a script in a tool's place.
fn bench_of(tool: &str, script: &str) -> Bench {
    let mut bench = Bench::prompt(tool, "hello");
    let program = bench.folder.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let keys = ["ANTHROPIC_AUTH_TOKEN", "CODEX_API_KEY", "GEMINI_API_KEY"];
    let env = keys.map(|name| (name.to_owned(), "t".to_owned())).into();
    bench.settings = ToolSettings { path: Some(program), own_login: Some(false), env, ..ToolSettings::default() };
    bench
}

#[tokio::test]
async fn an_end_without_a_result_is_a_failure_whatever_the_code() {
    for code in [0, 1] {
        let done = bench(&format!("{TEXT}; echo 'out of luck' >&2; exit {code}")).run().await;
        let expected = format!("it ended with code {code} and without a result: out of luck");
        assert_eq!(done.failure(), (FailureClass::ProcessFailed, expected.as_str()));
        assert_eq!(done.partial(), "so far");
    }
}

#[tokio::test]
async fn output_that_is_no_json_is_shown_and_is_no_answer() {
    for tool in ["claude-code", "codex", "gemini-cli"] {
        let script = r#"cat; echo; echo '{"type":'; printf 'caf\351 \000 [1]\n'; echo '"done"'; echo '{}'; exit 0"#;
        let done = bench_of(tool, script).run().await;
        let expected = "it ended with code 0 and without a result";
        assert_eq!(done.failure(), (FailureClass::ProcessFailed, expected), "{tool}");
        assert_eq!(done.lines(), ["hello", "{\"type\":", "caf\u{fffd} \u{fffd} [1]", "\"done\""], "{tool}");
    }
}

#[tokio::test]
async fn the_last_final_event_decides_not_the_code() {
    let done = bench(&format!("{RESULT}; exit 1")).run().await;
    assert_eq!(done.result().text, "the answer");
    assert_eq!(done.record.exit_code, Some(1));
}

#[tokio::test]
async fn a_tool_that_hangs_after_its_result_is_ended_and_the_result_counts() {
    let started = Instant::now();
    let done = bench(&format!("{RESULT}; exec sleep 1000")).run().await;
    assert_eq!(done.result().text, "the answer");
    assert!(started.elapsed() < Duration::from_secs(14), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_success_that_a_cancel_brought_about_is_none() {
    let trap = format!("{}; exit 0", RESULT.replace('"', "\\\""));
    let bench = bench(&format!("trap \"{trap}\" TERM; {TEXT}; while :; do sleep 0.05; done"));
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(_))).await;
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::Final(_))), "{:?}", done.events);
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{:?}", done.outcome);
}

#[tokio::test]
async fn a_result_before_the_cancel_counts() {
    let bench = bench(&format!("{RESULT}; exec sleep 1000"));
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Final(_))).await;
    going.cancel.cancel();
    assert_eq!(going.finish().await.result().text, "the answer");
}

#[tokio::test]
async fn a_killed_guard_is_noticed_and_what_it_left_is_swept() {
    let bench = bench("setsid sh -c 'echo $$ >> pids; exec sleep 1000' & echo $$ >> pids; echo $PPID > guard; wait");
    let going = bench.start();
    let pids = pids_in(&bench.work().join("pids"), 2).await;
    let guard = pids_in(&bench.work().join("guard"), 1).await[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guard), nix::sys::signal::Signal::SIGKILL).unwrap();
    let done = going.finish().await;
    assert_eq!(done.failure().0, FailureClass::ProcessFailed);
    assert!(done.failure().1.contains("guard"), "{:?}", done.failure());
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[tokio::test]
async fn a_limit_on_tokens_ends_the_run() {
    let message = r#"{"type":"assistant","parent_tool_use_id":null,"message":{"id":"m","model":"x","content":[],"usage":{"input_tokens":900,"output_tokens":200}}}"#;
    let mut bench = bench(&format!("echo '{message}'; exec sleep 1000"));
    bench.request.limits.tokens = Some(1000);
    let done = bench.run().await;
    assert_eq!(done.failure(), (FailureClass::Budget, "the run used more than 1000 tokens"));
}
