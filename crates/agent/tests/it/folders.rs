//! Working folders: of repositories, of interrupted runs, and how much all of them may take.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use swarm_agent::{AgentControl as _, DiskState};
use swarm_model::log::LogStream;
use swarm_model::task::{Outcome, Repository, TaskInput};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, Isolation};
use swarm_proto::worker::{Assignment, AttemptResult, ToWorker};
use tempfile::TempDir;

use crate::coordinator::*;
use crate::crash::Process;

fn git(dir: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "user.name=A", "-c", "user.email=a@b"]).args(words);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with one file on `main`.
fn origin(folder: &Path) -> String {
    let origin = folder.join("origin");
    std::fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(origin.join("a.txt"), "one\n").unwrap();
    git(&origin, &["add", "--all"]);
    git(&origin, &["commit", "--quiet", "--message", "first"]);
    format!("file://{}", origin.display())
}

fn on(url: &str, base: Option<&str>, assignment: Assignment) -> Assignment {
    let repository = Some(Repository { url: url.to_owned(), base: base.map(str::to_owned) });
    Assignment { repository, ..assignment }
}

fn names(result: &AttemptResult) -> Vec<&str> {
    let Outcome::Completed { result } = &result.outcome else { panic!("{result:?}") };
    result.artifacts.iter().map(|artifact| artifact.name.as_str()).collect()
}

/// What the worker said beside the tool.
fn remarks(ledger: &Ledger, task: &Assignment) -> Vec<String> {
    let key = format!("{}/{}", task.task_id, task.attempt);
    let lines = ledger.lines[&key].iter().filter(|line| line.stream == LogStream::System);
    lines.map(|line| line.text.clone()).collect()
}

#[tokio::test]
async fn a_command_works_on_a_repository_and_what_it_did_comes_back() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = origin(folder.path());
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let work = "git branch --show-current; echo two >> a.txt; git commit -qam 'a change'; echo three > new.txt";
    let task = on(&url, None, script(7, work));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    let result = session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["garageswarm/7-1"]);
    assert_eq!(names(&result), ["changes.diff", "commits.mbox", "a.txt", "new.txt"]);
    assert_eq!(result.record.files_changed, Some(2));
    let said = remarks(&ledger, &task);
    assert_eq!(said[0], format!("cloning {url}"));
    assert!(said[1].starts_with("working on branch garageswarm/7-1 from main ("), "{said:?}");
    let last = said.last().unwrap();
    assert!(last.starts_with("2 files changed, 1 commit on branch garageswarm/7-1\n"), "{last}");
    assert!(last.ends_with(" a change"), "{last}");
    let files = coordinator.known.lock().unwrap().files.clone();
    assert_eq!(files["new.txt"], b"three\n");
    let diff = String::from_utf8(files["changes.diff"].clone()).unwrap();
    assert!(diff.contains("+two") && diff.contains("+three"), "{diff}");

    // Asked for the room, it gives the folder, and the mirror knows nothing of it any more.
    let run = agent.run_folder();
    eventually("the folder is closed", || closed(&run).is_some()).await;
    let disk = agent.handle.disk(true).await.unwrap();
    assert!(disk.freed_bytes.unwrap() > 0 && !run.exists(), "{disk:?}");
    assert_eq!(disk.items.iter().map(|item| item.state).collect::<Vec<_>>(), [DiskState::Unused, DiskState::Kept]);
    assert_eq!(git(&disk.items[0].path.join("git"), &["branch", "--list"]), "");
    agent.stop().await.unwrap();
}

/// In a sandbox nothing of the worker is seen but what belongs to the working folder, and that is enough for git.
#[tokio::test]
async fn a_run_in_a_sandbox_commits() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = origin(folder.path());
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let work = "echo two >> a.txt && git commit -qam 'a change' && git log --format=%s && ls ../../../mirrors/*/git/HEAD | wc -l";
    let task = Assignment { isolation: Some(Isolation::Sandbox), ..on(&url, None, script(1, work)) };
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    let result = session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["a change", "first", "1"], "{:?}", ledger.lines);
    assert_eq!(result.record.isolation, Some(Isolation::Sandbox));
    assert_eq!(names(&result), ["changes.diff", "commits.mbox", "a.txt"]);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_base_that_is_not_there_and_a_repository_that_is_none_are_told() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = origin(folder.path());
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let task = on(&url, Some("nowhere"), script(1, "echo never"));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    let result = session.result_of(task.attempt_ref(), &mut ledger).await;
    let Outcome::Failed { class, error, .. } = &result.outcome else { panic!("{result:?}") };
    assert_eq!(*class, FailureClass::Refused);
    assert!(error.contains("no branch, tag or commit \"nowhere\"") && error.contains("main"), "{error}");

    let gone = on("/nowhere-at-all", None, script(2, "echo never"));
    let theirs = Assignment { by_owner: false, ..on(&url, None, script(3, "echo never")) };
    let flag = on("--upload-pack=touch", None, script(4, "echo never"));
    let reasons = [(&gone, "repository_out_of_reach"), (&theirs, "tool_not_allowed"), (&flag, "invalid_input")];
    for (task, expected) in reasons {
        session.assign(task).await;
        let report = session.report().await;
        assert_eq!(report.refused[0].reason.as_str(), expected, "{report:?}");
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_cancel_ends_a_clone() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (slow, begun) = slow_ssh(folder.path());
    let mut process = Process::start_with(&folder, &coordinator.url, &[("GIT_SSH_COMMAND", slow.to_str().unwrap())]);
    let (mut session, _) = coordinator.session(&[]).await;
    let task = on("somebody@localhost:repository", None, script(1, "echo never"));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    eventually("the clone has begun", || begun.exists()).await;
    session.send(&ToWorker::Cancel { attempts: vec![task.attempt_ref()] }).await;
    let result = session.result_of(task.attempt_ref(), &mut ledger).await;
    assert!(matches!(result.outcome, Outcome::Cancelled { .. }), "{result:?}");
    let pid = std::fs::read_to_string(&begun).unwrap();
    eventually("what git started is gone", || !lives(&pid)).await;

    // Killed in the middle of the next one, nothing of it is in the way of the process after it.
    std::fs::remove_file(&begun).unwrap();
    let task = on("somebody@localhost:repository", None, script(2, "echo never"));
    session.assign(&task).await;
    eventually("the clone has begun", || begun.exists()).await;
    process.kill();
    let pid = std::fs::read_to_string(&begun).unwrap();
    let _process = Process::start(&folder, &coordinator.url, None);
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.attempts.is_empty());
    assert!(!lives(&pid), "the next process sweeps what git started before it says hello");
    let task = on(&origin(folder.path()), None, script(3, "git status --short --branch"));
    session.assign(&task).await;
    session.result_of(task.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(task.attempt_ref()), ["## garageswarm/3-1"]);
}

/// A program in ssh's place that never answers, and the file in which it says that it runs.
fn slow_ssh(folder: &Path) -> (PathBuf, PathBuf) {
    let (slow, begun) = (folder.join("slow-ssh"), folder.join("begun"));
    let script = format!("#!/bin/sh\necho $$ > {0}.new\nmv {0}.new {0}\nexec sleep 1000\n", begun.display());
    write_program(&slow, &script);
    (slow, begun)
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_leaves_a_repository_as_good_as_before() {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = origin(folder.path());
    let mut process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    let task = on(&url, None, script(1, "echo half > half.txt; git add .; echo begun; sleep 1000"));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.texts(task.attempt_ref()) != ["begun"] {
        ledger.book(&session.report().await);
    }
    process.kill();
    let _process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    // A plain command begins anew: it cannot be told that something was done.
    let again = Assignment { attempt: 2, input: script(1, "git status --short --branch").input, ..task };
    session.assign(&again).await;
    session.result_of(again.attempt_ref(), &mut ledger).await;
    assert_eq!(ledger.texts(again.attempt_ref()), ["## garageswarm/1-2"]);
}

/// A worker with a script in Claude Code's place. It says its session, works, and waits; called with a session to
/// resume, it answers with its arguments, its folder and its prompt, or knows nothing of it.
fn scripted(folder: &TempDir, knows_sessions: bool) {
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let (program, answer) = (folder.path().join("claude"), folder.path().join("answer"));
    let resume =
        if knows_sessions { "answer; exit 0" } else { "echo 'No conversation found with session ID' >&2; exit 1" };
    write_program(
        &program,
        &format!(
            r#"#!/bin/sh
case "$*" in *--version*) echo 2.0.0; exit 0;; esac
prompt=$(cat)
answer() {{
  printf '%s\n' "$*" "$PWD" "$prompt" > {0}
  ls >> {0}
  echo '{{"type":"result","subtype":"success","is_error":false,"result":"the answer","num_turns":1}}'
}}
case "$*" in *--resume=*) {resume};; esac
if [ -e half.txt ]; then answer "$@"; exit 0; fi
echo half > half.txt
echo '{{"type":"system","subtype":"init","session_id":"01900000-0000-7000-8000-000000000009","model":"x"}}'
exec sleep 1000
"#,
            answer.display()
        )
        .replace("answer; exit 0", "answer \"$@\"; exit 0"),
    );
    let toml = format!(
        "[tools.claude-code]\nenabled = true\npath = \"{}\"\nown_login = false\nenv = {{ ANTHROPIC_AUTH_TOKEN = \"t\" }}\n",
        program.display()
    );
    std::fs::write(data.join("worker.toml"), toml).unwrap();
}

pub(crate) fn prompt(number: i64, text: &str) -> Assignment {
    let tool = "claude-code".parse().unwrap();
    let input = TaskInput::Prompt { system: None, session: None };
    Assignment { tool, description: text.to_owned(), input, ..script(number, text) }
}

/// Kills the worker in the middle of a prompt, and gives it to the next process; what the tool was called with then.
async fn resumed(knows_sessions: bool) -> (Vec<String>, PathBuf) {
    let mut coordinator = Coordinator::start().await;
    let folder = tempfile::tempdir().unwrap();
    scripted(&folder, knows_sessions);
    let mut process = Process::start(&folder, &coordinator.url, None);
    let (mut session, _) = coordinator.session(&[]).await;
    let task = prompt(1, "Write a book.");
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.received(task.attempt_ref()) < 1 {
        ledger.book(&session.report().await);
    }
    process.kill();
    let _process = Process::start(&folder, &coordinator.url, None);
    let (mut session, hello) = coordinator.session(&[]).await;
    assert!(hello.attempts.is_empty());
    // Others had it in between.
    let again = Assignment { attempt: 3, ..task };
    session.assign(&again).await;
    let result = session.result_of(again.attempt_ref(), &mut ledger).await;
    let Outcome::Completed { result } = &result.outcome else { panic!("{result:?}") };
    assert_eq!(result.text, "the answer");
    let run = run_folder(&folder.path().join("data"));
    eventually("the folder is closed", || closed(&run).as_deref() == Some("acknowledged")).await;
    let answer = std::fs::read_to_string(folder.path().join("answer")).unwrap();
    (answer.lines().map(str::to_owned).collect(), run.canonicalize().unwrap())
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_with_its_session_in_its_folder() {
    let (answer, run) = resumed(true).await;
    assert!(answer[0].contains("--resume=01900000-0000-7000-8000-000000000009"), "{answer:?}");
    assert_eq!(answer[1], run.join("work").display().to_string());
    assert!(answer[2].starts_with("Your work on this task was interrupted"), "{answer:?}");
    assert_eq!((answer[4].as_str(), answer[5].as_str()), ("Write a book.", "half.txt"));
    assert!(run.file_name().unwrap().to_str().unwrap().starts_with("1-1-"), "{run:?}");
}

#[tokio::test]
async fn a_session_that_the_tool_forgot_is_begun_anew_with_what_was_done() {
    let (answer, run) = resumed(false).await;
    assert!(!answer[0].contains("--resume") && answer[0].contains("--session-id="), "{answer:?}");
    assert_eq!(answer[1], run.join("work").display().to_string());
    assert!(answer[2].starts_with("An earlier attempt at this task was interrupted"), "{answer:?}");
    assert!(answer[2].contains("it holds half.txt"), "{answer:?}");
    assert_eq!(answer[4], "Write a book.");
}

#[tokio::test]
async fn over_the_owners_quota_a_run_is_declined_until_there_is_room() {
    let mut coordinator = Coordinator::start().await;
    let agent = TestAgent::start(config(&coordinator.url)).await;
    let (mut session, _) = coordinator.session(&[]).await;
    let gate = agent.folder.path().join("gate");
    let fill = "dd if=/dev/zero of=large bs=1024 count=3000 2> /dev/null; echo full";
    let task = script(1, &format!("{fill}; while [ ! -e {} ]; do sleep 0.02; done", gate.display()));
    session.assign(&task).await;
    let mut ledger = Ledger::default();
    while ledger.texts(task.attempt_ref()) != ["full"] {
        let report = session.report().await;
        session.send(&ToWorker::Ack(ledger.book(&report))).await;
    }
    agent.handle.set_preference("max_disk_mb", "1").await.unwrap();
    let mut number = 2;
    let reason = loop {
        // The look at the disk goes on beside everything else.
        let next = script(number, "true");
        session.assign(&next).await;
        let refused = loop {
            let report = session.report().await;
            session.send(&ToWorker::Ack(ledger.book(&report))).await;
            if let Some(refusal) = report.refused.into_iter().next() {
                break Some(refusal.reason);
            }
            if report.results.iter().any(|result| result.attempt == next.attempt_ref()) {
                break None;
            }
        };
        if let Some(reason) = refused {
            break reason;
        }
        number += 1;
    };
    assert_eq!(reason, RefusalReason::DiskFull);
    let disk = agent.handle.disk(false).await.unwrap();
    assert!(disk.items.iter().any(|item| item.state == DiskState::Running && item.bytes > 3_000_000), "{disk:?}");

    // Its end makes room.
    std::fs::write(&gate, "").unwrap();
    session.result_of(task.attempt_ref(), &mut ledger).await;
    let runs = agent.folder.path().join("runs");
    let is_empty =
        || std::fs::read_dir(&runs).unwrap().flatten().all(|entry| !entry.path().join("work/large").exists());
    eventually("the largest folder is gone", is_empty).await;
    agent.stop().await.unwrap();
}
