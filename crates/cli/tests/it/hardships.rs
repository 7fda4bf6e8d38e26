//! What machines do to a running swarm: odd output, floods of it, a disk that fills up.

use std::path::PathBuf;
use std::process::Command;

use crate::home::{Home, Running};

#[test]
fn output_that_is_no_text_is_kept_as_far_as_it_is() {
    let home = Home::new();
    let _up = home.up(&[]);
    let script = r"printf 'a\377b\000c\r\n'; printf 'Gr\303\274\303\237e\n'; printf 'cut off: \303'";
    let said = home.run(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", script]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "a\u{fffd}b\u{fffd}c\r\nGrüße\ncut off: \u{fffd}\n", "{said:?}");
    assert_eq!(home.ok(&["task", "logs", "1"]), said.stdout);
}

#[test]
fn ten_megabytes_at_once_arrive_whole_and_in_order() {
    let home = Home::new();
    let _up = home.up(&[]);
    let script = "seq 1 1400000";
    let said = home.run(&["task", "submit", "--tool", "command", "--follow", "--", "sh", "-c", script]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.len() > 10_000_000, "{}", said.stdout.len());
    let mut expected = 1_u32;
    for line in said.stdout.lines() {
        assert_eq!(line, expected.to_string());
        expected += 1;
    }
    assert_eq!(expected, 1_400_001);
}

/// Starts `up` with a disk of this many megabytes under its data folder, in a mount namespace of its own. Gives the
/// folder as others see it, or nothing where namespaces are forbidden.
#[cfg(target_os = "linux")]
fn up_on_a_small_disk(home: &Home, megabytes: u32) -> Option<(Running, PathBuf)> {
    let own_namespace = if nix::unistd::geteuid().is_root() { "--mount" } else { "--map-root-user --mount" };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(own_namespace.split(' '));
        command
    };
    if !unshare().args(["mount", "-t", "tmpfs", "none", "/mnt"]).status().is_ok_and(|status| status.success()) {
        println!("left out: a disk of its own (this machine forbids mount namespaces)");
        return None;
    }
    let data = home.path("data");
    std::fs::create_dir_all(&data).unwrap();
    let inner = home.command(&["up", "--listen", "127.0.0.1:0"]);
    let mut command = unshare();
    command
        .args(["sh", "-c", r#"mount -t tmpfs -o "size=$0m" none "$1" && shift && exec "$@""#])
        .arg(megabytes.to_string())
        .arg(&data)
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut up = Running::start(command);
    up.wait_for("ready http://");
    let seen = PathBuf::from(format!("/proc/{}/root{}", up.pid(), data.display()));
    Some((up, seen))
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_when_there_is_room_again_all_goes_on() {
    let home = Home::new();
    let Some((up, data)) = up_on_a_small_disk(&home, 24) else { return };
    let submit = ["task", "submit", "--tool", "demo", "--model", "demo-fast", "--wait"];
    home.ok(&[&submit[..], &["before"]].concat());

    let filler = data.join("filler");
    let full = std::fs::write(&filler, vec![7; 64 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let long = "x".repeat(100_000);
    // What the database has in hand already may take a few more.
    let refused = (0..200).map(|_| home.run(&["task", "submit", &long])).find(|said| said.code != Some(0)).unwrap();
    assert!(refused.stderr.contains("The disk of the coordinator is full"), "{refused:?}");
    home.ok(&["task", "list"]);

    std::fs::remove_file(&filler).unwrap();
    home.ok(&[&submit[..], &["after"]].concat());
    assert_eq!(home.json(&["task", "show", "1"])["status"], "completed", "nothing that was told is lost");
    drop(up);
}
