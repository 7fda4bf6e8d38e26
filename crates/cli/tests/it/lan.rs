//! Other machines: `up --lan`, joining by link, signing in by fingerprint, and what is refused.

use std::io::Write as _;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, Running, Said, eventually, said};

/// A coordinator with a TLS listener that is reached from this machine alone, so that no test is announced.
fn up_lan(home: &Home, args: &[&str]) -> Running {
    home.up(&[&["--lan", "127.0.0.1:0", "--no-worker"], args].concat())
}

fn invite(home: &Home) -> Value {
    home.json(&["worker", "invite"])
}

fn link(home: &Home) -> String {
    invite(home)["link"].as_str().unwrap().to_owned()
}

/// `worker run` in a data folder of its own.
fn run_args<'a>(home: &Home, folder: &'a mut String, args: &[&'a str]) -> Vec<&'a str> {
    *folder = home.path(folder).display().to_string();
    [&["worker", "run", "--data-dir", folder.as_str()], args].concat()
}

fn start(home: &Home, folder: &str, args: &[&str]) -> Running {
    let mut folder = folder.to_owned();
    let args = run_args(home, &mut folder, args);
    let mut worker = Running::start(home.command(&args));
    worker.wait_for("ready ");
    worker
}

fn refused(home: &Home, folder: &str, args: &[&str]) -> Said {
    let mut folder = folder.to_owned();
    let args = run_args(home, &mut folder, args);
    let said = home.run(&args);
    assert_ne!(said.code, Some(0), "{said:?}");
    said
}

fn stop(mut worker: Running) {
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().success(), "{}", worker.stderr());
}

fn identity(home: &Home, folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(home.path(folder).join("identity.json")).unwrap()).unwrap()
}

#[test]
fn a_machine_joins_by_link_and_comes_back_without() {
    let home = Home::new();
    let up = up_lan(&home, &[]);
    let invitation = invite(&home);
    let (address, words) = (invitation["addresses"][0].as_str().unwrap(), invitation["words"].as_str().unwrap());
    assert!(up.stdout().contains(address) && up.stdout().contains(words), "{}", up.stdout());
    let link = invitation["link"].as_str().unwrap();

    let worker = start(&home, "attic", &["--join", link, "--yes", "--name", "attic", "--allow-tool", "command"]);
    assert!(worker.stdout().contains(&format!("ready attic at {address}")), "{}", worker.stdout());
    assert!(worker.stderr().contains(words), "what was agreed to is told: {}", worker.stderr());
    let done =
        home.run(&["task", "submit", "--tool", "command", "--worker", "attic", "--wait", "--", "echo", "over TLS"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "over TLS\n"), "{done:?}");
    assert_eq!(identity(&home, "attic")["joined"]["fingerprint"], invitation["fingerprint"]);
    stop(worker);

    let twice = refused(&home, "cellar", &["--join", link, "--yes"]);
    assert_eq!(twice.code, Some(3), "{twice:?}");
    assert!(twice.stderr.contains("refused the code of the link: it was used"), "{}", twice.stderr);

    stop(start(&home, "attic", &[]));
    // As from a unit file that still names the link: it is known whose machine this is, and nobody is asked.
    let mut again = home.command(&["worker", "run", "--data-dir", &home.path("attic").display().to_string()]);
    again.env("GARAGESWARM_JOIN", link);
    let mut again = Running::start(again);
    again.wait_for("ready attic");
    stop(again);
}

#[test]
fn without_a_terminal_consent_is_given_beforehand() {
    let home = Home::new();
    let _up = up_lan(&home, &[]);
    let link = link(&home);
    let unasked = refused(&home, "attic", &["--join", &link]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert_eq!(identity(&home, "attic").get("joined"), None, "nothing was joined");

    // The code is still good; this time the link does not stand among the arguments.
    let data_dir = home.path("attic").display().to_string();
    let mut command = home.command(&["worker", "run", "--data-dir", &data_dir, "--join", "-", "--yes"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{link}").unwrap();
    eventually(|| home.json(&["worker", "list"]), |list| list["items"][0]["status"] == "online");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn links_that_must_not_be_followed_are_not() {
    let home = Home::new();
    let _up = up_lan(&home, &[]);
    let link = link(&home);
    let code = link.split_once("code=").unwrap().1.to_owned();

    let nonsense = refused(&home, "attic", &["--join", "https://example.org", "--yes"]);
    assert_eq!(nonsense.code, Some(2));
    assert!(nonsense.stderr.contains("no joining link"), "{}", nonsense.stderr);

    let plain = format!("garageswarm://join?address=http://192.0.2.1:8420&code={code}");
    let plain = refused(&home, "attic", &["--join", &plain, "--yes"]);
    assert_eq!(plain.code, Some(2));
    assert!(plain.stderr.contains("plain HTTP beyond this machine"), "{}", plain.stderr);
    assert!(!plain.stderr.contains(&code), "the code is not repeated: {}", plain.stderr);

    // Somebody else's certificate: the answer is theirs, the code stays here.
    let pin = link.split_once("fingerprint=").unwrap().1[..64].to_owned();
    let other = refused(&home, "attic", &["--join", &link.replace(&pin, &"ab".repeat(32)), "--yes"]);
    assert_eq!(other.code, Some(3));
    assert!(other.stderr.contains("another certificate than the one that was pinned"), "{}", other.stderr);

    // A code of another coordinator.
    let elsewhere = Home::new();
    let _other_up = up_lan(&elsewhere, &[]);
    let foreign = self::link(&elsewhere).split_once("code=").unwrap().1.to_owned();
    let foreign = refused(&home, "attic", &["--join", &link.replace(&code, &foreign), "--yes"]);
    assert_eq!(foreign.code, Some(3));
    assert!(foreign.stderr.contains("is another coordinator's"), "{}", foreign.stderr);

    stop(start(&home, "attic", &["--join", &link, "--yes"]));
}

#[test]
fn a_machine_leaves_its_coordinator_only_when_told_to() {
    let (home, friend) = (Home::new(), Home::new());
    let (_up, _other) = (up_lan(&home, &[]), up_lan(&friend, &[]));
    stop(start(&home, "attic", &["--join", &link(&home), "--yes"]));
    let before = identity(&home, "attic");

    let theirs = link(&friend);
    let kept = refused(&home, "attic", &["--join", &theirs, "--yes"]);
    assert_eq!(kept.code, Some(4));
    assert!(kept.stderr.contains("belongs to") && kept.stderr.contains("--replace"), "{}", kept.stderr);
    assert_eq!(identity(&home, "attic"), before);

    stop(start(&home, "attic", &["--join", &theirs, "--yes", "--replace"]));
    assert_ne!(identity(&home, "attic")["joined"]["fingerprint"], before["joined"]["fingerprint"]);
    assert_eq!(friend.json(&["worker", "list"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn only_who_is_reached_can_invite() {
    let home = Home::new();
    let _up = home.up(&["--no-worker"]);
    let said = home.run(&["worker", "invite"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("--lan"), "{}", said.stderr);
}

#[test]
fn a_person_signs_in_by_fingerprint_and_is_told_when_it_changes() {
    let home = Home::new();
    let mut up = Running::start(home.command(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--lan",
        "127.0.0.1:0",
        "--no-worker",
        "--json",
    ]));
    up.wait_for("\n");
    let ready: Value = serde_json::from_str(up.stdout().lines().next().unwrap()).unwrap();
    let (address, pin) =
        (ready["lan"]["addresses"][0].as_str().unwrap(), ready["lan"]["fingerprint"].as_str().unwrap());
    let token = ready["sign_in_link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let sign_in = format!("{address}/signin#{token}");

    let elsewhere = Home::new();
    let unknown = elsewhere.run(&["login", "--link", &sign_in]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(unknown.stderr.contains("--fingerprint"), "{}", unknown.stderr);
    let wrong = elsewhere.run(&["login", "--link", &sign_in, "--fingerprint", &"ab".repeat(32)]);
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
    assert!(wrong.stderr.contains("another certificate"), "{}", wrong.stderr);

    elsewhere.ok(&["login", "--link", &sign_in, "--fingerprint", pin]);
    assert_eq!(elsewhere.json(&["whoami"])["username"], ready["username"], "the pin is remembered");
    drop(up);

    // Set up anew at the same address: somebody else, as far as anybody can tell.
    let lan = address.trim_start_matches("https://");
    std::fs::remove_dir_all(home.path("data").join("tls")).unwrap();
    let _anew = home.up(&["--lan", lan, "--no-worker"]);
    let changed = elsewhere.run(&["whoami"]);
    assert_eq!(changed.code, Some(3), "{changed:?}");
    assert!(
        changed.stderr.contains("somebody may be in between, or the coordinator was set up anew"),
        "{}",
        changed.stderr
    );
}

#[test]
fn a_worker_tells_that_the_certificate_changed_and_sends_nothing() {
    let home = Home::new();
    let up = up_lan(&home, &[]);
    let invitation = invite(&home);
    let lan = invitation["addresses"][0].as_str().unwrap().trim_start_matches("https://").to_owned();
    stop(start(&home, "attic", &["--join", invitation["link"].as_str().unwrap(), "--yes"]));
    drop(up);
    // With its certificate it is the same one after a restart.
    let up = home.up(&["--lan", &lan, "--no-worker"]);
    stop(start(&home, "attic", &[]));
    drop(up);

    std::fs::remove_dir_all(home.path("data").join("tls")).unwrap();
    let _anew = home.up(&["--lan", &lan, "--no-worker"]);
    let data_dir = home.path("attic").display().to_string();
    let mut worker = Running::start(home.command(&["worker", "run", "--data-dir", &data_dir]));
    worker.wait_for_remark("another certificate than the one that was pinned");
    assert_eq!(home.json(&["worker", "list"])["items"][0]["status"], "offline");
}

#[test]
fn a_secret_of_a_link_is_asked_for_nowhere_else() {
    let home = Home::new();
    let said = said(home.command(&["worker", "run", "--yes"]));
    assert_eq!(said.code, Some(2), "--yes is for --join: {said:?}");
    let both = home.run(&[
        "--coordinator",
        "https://a",
        "worker",
        "run",
        "--join",
        "garageswarm://join?address=https://a&code=x",
    ]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
