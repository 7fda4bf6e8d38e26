//! What is asked at a terminal, and what an answer brings about.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use nix::pty::openpty;

use crate::home::{Home, Running};

/// A command whose standard input is a terminal, and the keyboard of that terminal.
fn at_terminal(mut command: Command) -> (Running, File) {
    let terminal = openpty(None, None).unwrap();
    command.stdin(terminal.slave);
    (Running::start(command), File::from(terminal.master))
}

fn up_lan(home: &Home) -> Running {
    home.up(&["--lan", "127.0.0.1:0", "--no-worker"])
}

/// Types an answer to the question that `command` asks, once it has asked.
fn answered(command: Command, answer: &str) -> (Running, File) {
    let (mut running, mut keyboard) = at_terminal(command);
    running.wait_for_remark("[y/N]");
    writeln!(keyboard, "{answer}").unwrap();
    (running, keyboard)
}

#[test]
fn a_machine_joins_when_its_owner_says_yes_and_only_then() {
    let home = Home::new();
    let _up = up_lan(&home);
    let invitation = home.json(&["worker", "invite"]);
    let data_dir = home.path("attic").display().to_string();
    let join =
        || home.command(&["worker", "run", "--data-dir", &data_dir, "--join", invitation["link"].as_str().unwrap()]);

    for no in ["n", "", "yesterday"] {
        let (mut asked, _keyboard) = answered(join(), no);
        assert_eq!(asked.ended().code(), Some(4), "{no:?}: {}", asked.stderr());
        let said = asked.stderr();
        assert!(said.contains(invitation["words"].as_str().unwrap()), "the words to compare: {said}");
        assert!(said.contains("demo ready") && said.contains("command not allowed"), "what it may run: {said}");
        assert!(said.contains("not joined: nothing was sent"), "{said}");
    }
    assert_eq!(home.json(&["worker", "list"])["items"], serde_json::json!([]));

    let (mut asked, _keyboard) = answered(join(), "y");
    asked.wait_for("ready ");
    assert_eq!(home.json(&["worker", "list"])["items"][0]["status"], "online");
}

#[test]
fn a_certificate_of_its_own_is_trusted_when_a_person_says_that_the_words_are_the_same() {
    let home = Home::new();
    let args = ["up", "--listen", "127.0.0.1:0", "--lan", "127.0.0.1:0", "--no-worker", "--json"];
    let mut up = Running::start(home.command(&args));
    up.wait_for("\n");
    let ready: serde_json::Value = serde_json::from_str(up.stdout().lines().next().unwrap()).unwrap();
    let words = home.json(&["worker", "invite"])["words"].as_str().unwrap().to_owned();
    let address = ready["lan"]["addresses"][0].as_str().unwrap();
    let secret = ready["sign_in_link"].as_str().unwrap().split_once('#').unwrap().1;
    let link = format!("{address}/signin#{secret}");
    let elsewhere = Home::new();
    let login = || elsewhere.command(&["login", "--link", &link]);

    let (mut asked, _keyboard) = answered(login(), "n");
    assert_eq!(asked.ended().code(), Some(4), "{}", asked.stderr());
    assert!(asked.stderr().contains(&words), "{}", asked.stderr());
    assert!(asked.stderr().contains("not signed in: nothing was sent"), "{}", asked.stderr());

    let (mut asked, _keyboard) = answered(login(), "yes");
    assert!(asked.ended().success(), "{}", asked.stderr());
    assert_eq!(elsewhere.json(&["whoami"])["username"], ready["username"]);
}
