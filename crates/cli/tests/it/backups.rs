//! The store as a folder, and back.

use nix::sys::signal::Signal;

use crate::home::Home;

#[test]
fn a_backup_of_a_running_coordinator_restores_elsewhere() {
    let home = Home::new();
    let mut up = home.up(&[]);
    home.ok(&["task", "submit", "--tool", "command", "--wait", "--", "sh", "-c", "echo kept > file.txt; echo kept"]);
    let (backup, data) = (home.path("backup").display().to_string(), home.path("data").display().to_string());
    assert!(home.ok(&["backup", &backup]).contains("backed up"));
    assert_eq!(home.run(&["backup", &backup]).code, Some(4), "it is not written over");
    assert_eq!(home.run(&["restore", &backup, "--force"]).code, Some(4), "not under a running coordinator");
    home.ok(&["task", "submit", "--tool", "command", "--wait", "--", "echo", "after the backup"]);
    up.signal(Signal::SIGTERM);
    assert!(up.ended().success());

    let other = Home::new();
    let elsewhere = other.path("data").display().to_string();
    other.ok(&["restore", &backup]);
    assert_eq!(other.run(&["restore", &backup]).code, Some(4), "{elsewhere} is not empty any more");
    let _other_up = other.up(&["--no-worker"]);
    assert_eq!(other.json(&["task", "show", "1"])["result"]["text"], "kept\n");
    assert_eq!(other.run(&["task", "show", "2"]).code, Some(4));

    // In place: the same command line, the same folder, the state of the backup.
    home.ok(&["restore", &backup, "--data-dir", &data, "--force"]);
    let _up = home.up(&[]);
    assert_eq!(home.run(&["task", "show", "2"]).code, Some(4));
    assert_eq!(home.run(&["task", "submit", "--tool", "command", "--wait", "--", "true"]).code, Some(0));
}

#[test]
fn what_is_no_backup_is_refused() {
    let home = Home::new();
    let nothing = home.path("nothing").display().to_string();
    std::fs::create_dir_all(&nothing).unwrap();
    let refused = home.run(&["restore", &nothing]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("not a whole backup"), "{refused:?}");
    assert_eq!(home.run(&["backup", &home.path("x").display().to_string()]).code, Some(4), "there is no store");
}
