//! What does not work says so in one sentence, says what to do in another, and ends with the right code.

use crate::home::{Home, Said};

fn check(said: &Said, code: i32, what: &str, advice: &str) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(said.stderr.contains(what), "\"{what}\" in {said:?}");
    assert!(said.stderr.contains(advice), "\"{advice}\" in {said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
}

#[test]
fn a_new_person_is_told_how_to_begin() {
    let home = Home::new();
    check(&home.run(&["task", "list"]), 3, "you are not signed in", "`garageswarm up`");
    let nowhere = ["status", "--coordinator", "http://127.0.0.1:9"];
    check(&home.run(&nowhere), 3, "you are not signed in to http://127.0.0.1:9", "garageswarm login");
    check(&home.run(&["task", "submit"]), 3, "you are not signed in", "garageswarm login");
    check(&home.run(&["worker", "run"]), 2, "has not joined a coordinator", "--key");
}

#[test]
fn a_coordinator_that_is_gone_is_missed() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    up.kill();
    check(&home.run(&["status"]), 3, "nothing answers at http://127.0.0.1:", "garageswarm up");
}

#[test]
fn what_is_not_there_is_refused() {
    let home = Home::new();
    let _up = home.up(&["--no-worker"]);
    check(&home.run(&["task", "show", "99"]), 4, "there is no task 99", "task list");
    check(&home.run(&["worker", "pause", "shed"]), 4, "there is no worker \"shed\"", "worker list");
    check(&home.run(&["key", "revoke", "none"]), 4, "you have no key", "key list");
    check(&home.run(&["task", "show", "twelve"]), 2, "twelve", "");
}

#[test]
fn a_taken_port_is_explained() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let listen = up.listen();
    let data_dir = home.path("other").display().to_string();
    let same_port = home.run(&["up", "--listen", &listen, "--data-dir", &data_dir]);
    check(&same_port, 4, "a coordinator is running", "--listen 127.0.0.1:0");

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = stranger.local_addr().unwrap().to_string();
    drop(std::thread::spawn(move || {
        use std::io::Write as _;
        for mut stream in stranger.incoming().flatten() {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok();
        }
    }));
    let taken = home.run(&["up", "--listen", &listen, "--data-dir", &data_dir]);
    check(&taken, 4, "another program listens", "--listen 127.0.0.1:0");
}

#[test]
fn two_coordinators_do_not_share_a_store() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let second = home.run(&["up", "--listen", "127.0.0.1:0"]);
    check(&second, 4, &format!("listening on {}", up.listen()), "--data-dir");
}

#[test]
fn settings_that_make_no_sense_are_all_told_at_once() {
    let home = Home::new();
    let file = home.path("settings.toml");
    std::fs::write(&file, "[server]\nlisten = \"0.0.0.0:8420\"\npublic_url = \"nowhere\"\n").unwrap();
    let file = file.display().to_string();
    let refused = home.run(&["serve", "--config", &file]);
    check(&refused, 2, "server.listen", "server.public_url");
    std::fs::write(&file, "[server]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    check(&home.run(&["serve", "--config", &file]), 2, "lisen", "");
}

#[test]
fn settings_come_in_layers_and_secrets_stay_hidden() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("data")).unwrap();
    std::fs::write(
        home.path("data").join("coordinator.toml"),
        "[limits]\nbatch_tasks = 7\n[retention]\ntasks_days = 1\n",
    )
    .unwrap();
    std::fs::write(home.path("token"), "a-very-secret-token\n").unwrap();
    let mut command = home.command(&["config", "print", "--listen", "127.0.0.1:4242"]);
    command
        .env("GARAGESWARM_RETENTION__TASKS_DAYS", "2")
        .env("GARAGESWARM_METRICS__TOKEN_FILE", home.path("token"))
        .env("GARAGESWARM_STORAGE__DATABASE", "postgres://ann:hidden-word@db/swarm");
    let printed = crate::home::said(command);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    for expected in ["batch_tasks = 7", "tasks_days = 2", "127.0.0.1:4242", "ann@db"] {
        assert!(printed.stdout.contains(expected), "{expected}: {printed:?}");
    }
    for secret in ["a-very-secret-token", "hidden-word"] {
        assert!(!printed.stdout.contains(secret) && !printed.stderr.contains(secret), "{printed:?}");
    }
}

#[test]
fn the_doctor_finds_what_is_missing() {
    let home = Home::new();
    let alone = home.run(&["doctor"]);
    assert_eq!(alone.code, Some(1), "{alone:?}");
    assert!(alone.stdout.contains("MISSING"), "{alone:?}");

    let _up = home.up(&[]);
    let checks = home.json(&["doctor"]);
    let state = |name: &str| {
        let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
        found.map(|check| check["state"].as_str().unwrap().to_owned())
    };
    for good in ["data folder", "settings", "guard", "sign-in", "tool demo"] {
        assert_eq!(state(good).as_deref(), Some("ok"), "{good}: {checks}");
    }
    assert_eq!(state("keychain").as_deref(), Some("note"));
}
