//! The coordinator dies in the middle and comes back: nothing is lost, nobody notices more than a pause.

use nix::sys::signal::Signal;

use crate::home::{Home, Running, eventually};

/// Prints a line every twentieth of a second until the file is there, then five more.
fn counting(go_file: &str) -> String {
    format!(
        "n=0; while [ ! -e {go_file} ]; do n=$((n+1)); echo line $n; sleep 0.05; done; \
         for last in 1 2 3 4 5; do n=$((n+1)); echo line $n; done; echo $n lines"
    )
}

/// Every line once, in order, from the first to the one that counts them.
fn assert_whole(printed: &str) {
    let lines: Vec<_> = printed.lines().collect();
    let (count, numbered) = lines.split_last().unwrap();
    let expected: Vec<_> = (1..=numbered.len()).map(|n| format!("line {n}")).collect();
    assert_eq!(numbered, expected, "no line is missing and none comes twice");
    assert_eq!(*count, format!("{} lines", numbered.len()));
}

#[test]
fn a_worker_works_on_while_the_coordinator_is_dead() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let (listen, url) = (up.listen(), up.url());
    let key = home.json(&["key", "create"])["secret"].as_str().unwrap().to_owned();
    let mut worker = home.command(&["worker", "run", "--coordinator", &url, "--allow-tool", "command"]);
    worker.env("GARAGESWARM_WORKER_KEY", &key);
    let mut worker = Running::start(worker);
    worker.wait_for("ready ");

    let go_file = home.path("go");
    let script = counting(&go_file.display().to_string());
    let mut follower =
        Running::start(home.command(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", &script]));
    follower.wait_for("line 10\n");
    up.kill();
    follower.wait_for_remark("reconnecting");

    let _up = home.up_at(&listen, &["--no-worker"]);
    follower.wait_for_remark("connected again");
    std::fs::write(&go_file, "").unwrap();
    let ended = follower.ended();
    assert!(ended.success(), "{}\n{}", follower.stdout(), follower.stderr());
    assert_whole(&follower.stdout());
    assert_eq!(home.json(&["task", "show", "1"])["attempt"], 1, "the worker never lost it");
}

#[test]
fn the_whole_of_up_is_killed_and_the_task_finishes() {
    let home = Home::new();
    let up = home.up(&[]);
    let listen = up.listen();
    let go_file = home.path("go");
    let script = counting(&go_file.display().to_string());
    let mut follower =
        Running::start(home.command(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", &script]));
    follower.wait_for("line 5\n");
    up.kill();
    follower.wait_for_remark("reconnecting");
    std::fs::write(&go_file, "").unwrap();

    let _up = home.up_at(&listen, &[]);
    assert!(follower.ended().success(), "{}\n{}", follower.stdout(), follower.stderr());
    // The machine died too, so the work was done again: the second attempt is whole.
    let printed = follower.stdout();
    let again = printed.rfind("line 1\n").unwrap();
    assert_whole(&printed[again..]);
    let task = home.json(&["task", "show", "1"]);
    assert_eq!(
        (&task["status"], &task["attempt"], &task["failures"]),
        (&"completed".into(), &2.into(), &0.into()),
        "{task}"
    );
}

#[test]
fn ctrl_c_lets_what_runs_finish() {
    let home = Home::new();
    let mut up = home.up(&[]);
    let listen = up.listen();
    let go_file = home.path("go");
    let script = format!("echo begun; until [ -e {} ]; do sleep 0.02; done; echo done", go_file.display());
    let mut follower =
        Running::start(home.command(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", &script]));
    follower.wait_for("begun");
    up.signal(Signal::SIGTERM);
    up.wait_for_remark("finishing");
    std::fs::write(&go_file, "").unwrap();
    assert!(up.ended().success(), "{}", up.stderr());

    // The result was stored before it went.
    let _up = home.up_at(&listen, &["--no-worker"]);
    assert!(follower.ended().success(), "{}\n{}", follower.stdout(), follower.stderr());
    assert_eq!(follower.stdout(), "begun\ndone\n");
    assert_eq!(home.json(&["task", "show", "1"])["attempt"], 1);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let home = Home::new();
    let mut up = home.up(&[]);
    let mut follower = Running::start(home.command(&[
        "task",
        "submit",
        "--tool",
        "command",
        "--follow",
        "--",
        "sh",
        "-c",
        "echo begun; sleep 600",
    ]));
    follower.wait_for("begun");
    up.signal(Signal::SIGINT);
    up.wait_for_remark("finishing");
    up.signal(Signal::SIGINT);
    assert_eq!(up.ended().code(), Some(130));
}

#[test]
fn a_second_start_knows_everything() {
    let home = Home::new();
    let mut up = home.up(&[]);
    home.ok(&["task", "submit", "--tool", "command", "--wait", "--", "true"]);
    let before = home.json(&["whoami"]);
    let worker = eventually(|| home.json(&["worker", "list"]), |page| page["items"][0]["status"] == "online");
    up.signal(Signal::SIGINT);
    assert!(up.ended().success());

    // Another port: the sign-in moves along, and the worker stays the same one.
    let _up = home.up(&[]);
    assert_eq!(home.json(&["whoami"])["user_id"], before["user_id"]);
    let after = eventually(|| home.json(&["worker", "list"]), |page| page["items"][0]["status"] == "online");
    assert_eq!(after["items"][0]["worker_id"], worker["items"][0]["worker_id"]);
    assert_eq!(after["items"].as_array().unwrap().len(), 1);
    assert_eq!(home.json(&["task", "show", "1"])["status"], "completed");
}
