//! Machines: joining, steering, leaving.

use nix::sys::signal::Signal;

use crate::home::{Home, Running, eventually};

/// A second machine that joins with a key of its own.
fn join(home: &Home, url: &str, name: &str, args: &[&str]) -> Running {
    let key = home.json(&["key", "create", "--name", name])["secret"].as_str().unwrap().to_owned();
    let key_file = home.path(&format!("{name}.key"));
    std::fs::write(&key_file, key).unwrap();
    let (key_file, data_dir) = (key_file.display().to_string(), home.path(name).display().to_string());
    let run = ["worker", "run", "--coordinator", url, "--key-file", &key_file, "--data-dir", &data_dir, "--name", name];
    let mut worker = Running::start(home.command(&[&run, args].concat()));
    worker.wait_for("ready ");
    worker
}

#[test]
fn a_machine_joins_with_a_key_and_comes_back_without() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let url = up.url();
    let mut worker = join(&home, &url, "attic", &["--slots", "2", "--allow-tool", "command"]);
    let done = home.run(&[
        "task",
        "submit",
        "--tool",
        "command",
        "--worker",
        "attic",
        "--wait",
        "--",
        "echo",
        "from the attic",
    ]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "from the attic\n"), "{done:?}");
    let before = home.json(&["worker", "show", "attic"]);
    assert_eq!((&before["slots"], &before["status"]), (&2.into(), &"online".into()));
    assert!(home.ok(&["worker", "list"]).contains("attic"));
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().success(), "{}", worker.stderr());
    eventually(|| home.json(&["worker", "show", "attic"]), |worker| worker["status"] == "offline");

    let data_dir = home.path("attic").display().to_string();
    let mut again = Running::start(home.command(&["worker", "run", "--data-dir", &data_dir]));
    again.wait_for("ready attic");
    assert_eq!(home.json(&["worker", "show", "attic"])["worker_id"], before["worker_id"]);
}

#[test]
fn a_paused_machine_takes_nothing_until_it_is_resumed() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let _worker = join(&home, &up.url(), "attic", &["--allow-tool", "command"]);
    assert!(home.ok(&["worker", "pause", "attic"]).contains("attic is paused"));
    assert_eq!(home.json(&["worker", "show", "attic"])["status"], "paused");
    home.ok(&["task", "submit", "--tool", "command", "--", "true"]);
    assert_eq!(home.json(&["task", "show", "1"])["status"], "queued");
    let placement = home.json(&["task", "placement", "1"]);
    assert_eq!(placement["candidates"][0]["eligible"], false, "{placement}");

    home.ok(&["worker", "resume", "attic"]);
    assert_eq!(home.run(&["task", "logs", "1", "--follow"]).code, Some(0));
    home.ok(&["worker", "drain", "attic"]);
    assert_eq!(home.json(&["worker", "show", "attic"])["status"], "draining");
}

#[test]
fn a_removed_machine_stops_and_says_why() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let mut worker = join(&home, &up.url(), "attic", &[]);
    home.ok(&["worker", "remove", "attic"]);
    assert_eq!(worker.ended().code(), Some(3), "{}", worker.stderr());
    assert!(worker.stderr().contains("no longer accepts this machine"), "{}", worker.stderr());
    assert_eq!(home.json(&["worker", "list"])["items"], serde_json::json!([]));
}

#[test]
fn a_key_enrols_one_machine_and_is_revoked_with_it() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let mut worker = join(&home, &up.url(), "attic", &[]);
    let mut second = home.command(&["worker", "run", "--coordinator", &up.url(), "--key", "-"]);
    second.stdin(std::fs::File::open(home.path("attic.key")).unwrap());
    let mut second = Running::start(second);
    assert_eq!(second.ended().code(), Some(3), "{}", second.stderr());
    assert!(second.stderr().contains("refused the key"), "{}", second.stderr());

    home.ok(&["key", "revoke", "attic"]);
    assert_eq!(worker.ended().code(), Some(3), "{}", worker.stderr());
    assert!(home.ok(&["key", "list"]).contains("revoked"));
}
