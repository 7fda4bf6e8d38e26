//! Submitting, watching, ending.

use std::io::Write as _;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::home::{Home, Running, eventually, processes_with};

#[test]
fn a_prompt_is_done_and_its_words_are_printed() {
    let home = Home::new();
    let _up = home.up(&[]);
    let waited = home.run(&["task", "submit", "say hello", "--tool", "demo", "--model", "demo-fast", "--wait"]);
    assert_eq!(waited.code, Some(0), "{waited:?}");
    assert!(waited.stdout.starts_with("This is a demonstration"), "{waited:?}");
    assert!(waited.stderr.contains("task #1 completed"), "{waited:?}");

    let followed = home.run(&["task", "submit", "say hello", "--tool", "demo", "--model", "demo-fast", "--follow"]);
    assert_eq!((followed.code, &followed.stdout), (Some(0), &waited.stdout), "what streams is what it gave back");
    assert_eq!(home.ok(&["task", "logs", "2"]), waited.stdout);
}

#[test]
fn a_prompt_may_come_by_standard_input() {
    let home = Home::new();
    let _up = home.up(&[]);
    let mut command = home.command(&["task", "submit", "-", "--tool", "demo", "--model", "demo-fast", "--wait"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"what is a garage?\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("what is a garage?"));
}

#[test]
fn a_command_is_a_program_with_arguments_and_its_end_is_ours() {
    let home = Home::new();
    let _up = home.up(&[]);
    let good = home.run(&["task", "submit", "--tool", "command", "--follow", "--", "printf", "%s\\n", "a b", "$HOME"]);
    assert_eq!((good.code, good.stdout.as_str()), (Some(0), "a b\n$HOME\n"), "{good:?}");

    let both =
        home.run(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!(both.stdout, "out\n", "{both:?}");
    assert!(both.stderr.contains("err\n"), "{both:?}");

    let bad = ["task", "submit", "--tool", "command", "--max-attempts", "1", "--wait", "--", "sh", "-c", "exit 3"];
    let bad = home.run(&bad);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("failed"), "{bad:?}");
}

#[test]
fn what_was_used_is_told_by_day_and_by_whatever_is_asked() {
    let home = Home::new();
    let _up = home.up(&[]);
    let bad = ["task", "submit", "--tool", "command", "--max-attempts", "1", "--wait", "--"];
    home.run(&[&bad[..], &["sh", "-c", "echo half done; touch a b; exit 3"]].concat());
    home.run(&["task", "submit", "say hello", "--tool", "demo", "--model", "demo-fast", "--wait"]);

    let shown = home.ok(&["task", "show", "1"]);
    for words in ["failed (process failed)", "exit code", "2 files changed", "no cost", "it wrote", "half done"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let record = &home.json(&["task", "show", "1"])["attempts"][0]["record"];
    assert_eq!((&record["exit_code"], &record["files_changed"]), (&3.into(), &2.into()), "{record}");

    let report = home.json(&["usage", "--by", "tool", "--mine", "--since", "1d"]);
    let runs: Vec<_> = report["items"].as_array().unwrap().iter().map(|item| (&item["tool"], &item["runs"])).collect();
    assert_eq!(runs, [(&"command".into(), &1.into()), (&"demo".into(), &1.into())], "{report}");
    assert_eq!((&report["total"]["completed_runs"], &report["total"]["free_runs"]), (&1.into(), &2.into()), "{report}");
    let table = home.ok(&["usage", "--by", "user,worker,tool,model"]);
    assert!(table.contains("ada") && table.contains("demo-fast") && table.contains("total"), "{table}");
    assert_eq!(home.run(&["usage", "--by", "moon"]).code, Some(2));
}

#[test]
fn programs_read_the_same_objects_as_over_rest() {
    let home = Home::new();
    let _up = home.up(&[]);
    let submit = ["task", "submit", "--tool", "command", "--idempotency-key", "once", "--", "echo", "hello"];
    let submit: Vec<_> = [&["--json"], &submit[..]].concat();
    let first: serde_json::Value = serde_json::from_str(&home.ok(&submit)).unwrap();
    let again: serde_json::Value = serde_json::from_str(&home.ok(&submit)).unwrap();
    assert_eq!(first["task_id"], again["task_id"], "the key makes it one task");

    let id = first["task_id"].as_str().unwrap();
    let done = eventually(|| home.json(&["task", "show", id]), |task| task["status"] == "completed");
    assert_eq!(
        (&done["number"], &done["input"]["argv"]),
        (&serde_json::json!(1), &serde_json::json!(["echo", "hello"]))
    );
    assert_eq!(done["result"]["text"], "hello\n");
    let page = home.json(&["task", "list", "--status", "completed", "--tool", "command", "--since", "1h"]);
    assert_eq!(page["items"][0]["task_id"].as_str(), Some(id));

    let stream = home.ok(&["task", "logs", "1", "--follow", "--json"]);
    let entries: Vec<serde_json::Value> = stream.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>());
    let hello = entries.iter().find(|entry| entry["stream"] == "stdout").unwrap();
    assert_eq!((&hello["text"], &hello["attempt"]), (&serde_json::json!("hello"), &serde_json::json!(1)));
    assert!(hello["at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn cancel_reaches_the_processes() {
    let home = Home::new();
    let _up = home.up(&[]);
    let mark = format!("cancel-me-{}", std::process::id());
    let script = format!("setsid sh -c 'sleep 600; : {mark}' & echo begun; sleep 600; : {mark}");
    let mut waiting =
        Running::start(home.command(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", &script]));
    waiting.wait_for("begun");
    assert!(processes_with(&mark).len() >= 2);

    home.ok(&["task", "cancel", "1"]);
    assert_eq!(waiting.ended().code(), Some(1), "{}", waiting.stderr());
    assert_eq!(home.json(&["task", "show", "1"])["status"], "cancelled");
    let follower_only = |left: &Vec<String>| left.iter().all(|line| line.contains("task submit"));
    eventually(|| processes_with(&mark), follower_only);
}

#[test]
fn an_ended_task_can_be_tried_again() {
    let home = Home::new();
    let _up = home.up(&[]);
    home.run(&["task", "submit", "--tool", "command", "--max-attempts", "1", "--wait", "--", "false"]);
    assert!(home.ok(&["task", "retry", "1"]).contains("task #2"));
    let second = eventually(|| home.json(&["task", "show", "2"]), |task| task["status"] == "failed");
    assert_eq!(second["retry_of"], home.json(&["task", "show", "1"])["task_id"]);
    assert!(home.ok(&["task", "list"]).contains("#2"));
}

#[test]
fn placement_says_why_nothing_fits() {
    let home = Home::new();
    let _up = home.up(&["--no-worker"]);
    home.ok(&["task", "submit", "say hello", "--tool", "demo"]);
    let placement = home.json(&["task", "placement", "1"]);
    assert_eq!(placement["candidates"], serde_json::json!([]));
    assert!(!home.ok(&["task", "placement", "1"]).trim().is_empty());
}

#[test]
fn whoever_stops_waiting_does_not_stop_the_task() {
    let home = Home::new();
    let _up = home.up(&[]);
    let script = "echo begun; until [ -e go ]; do sleep 0.05; done; echo done";
    let mut waiting =
        Running::start(home.command(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", script]));
    waiting.wait_for("begun");
    waiting.signal(Signal::SIGINT);
    assert_eq!(waiting.ended().code(), Some(130), "{}", waiting.stderr());
    assert!(waiting.stderr().contains("it goes on"), "{}", waiting.stderr());
    assert_eq!(home.json(&["task", "show", "1"])["status"], "running");
    home.ok(&["task", "cancel", "1"]);
    eventually(|| home.json(&["task", "show", "1"]), |task| task["status"] == "cancelled");
}

#[test]
fn a_paused_swarm_hands_nothing_out() {
    let home = Home::new();
    let _up = home.up(&[]);
    home.ok(&["swarm", "pause"]);
    home.ok(&["task", "submit", "--tool", "command", "--", "true"]);
    let paused = home.json(&["status"]);
    assert_eq!((&paused["paused"], &paused["tasks"]["queued"]), (&serde_json::json!(true), &serde_json::json!(1)));
    home.ok(&["swarm", "resume"]);
    assert_eq!(home.run(&["task", "logs", "1", "-f"]).code, Some(0));
}
