//! The worker of this machine as its owner sees and steers it.

use crate::home::{Home, eventually, said};

const ANN: &str = "018f2d3a-0000-7000-8000-0000000000a1";

#[test]
fn the_worker_of_up_is_steered_from_the_command_line() {
    let home = Home::new();
    let up = home.up(&[]);
    eventually(|| home.run(&["worker", "status", "--json"]), |said| said.stdout.contains("\"connected\""));
    let shown = home.ok(&["worker", "status"]);
    for expected in [&up.url(), "demo", "to nobody but you", "local-worker", "takes tasks"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    // Settings: shown with their defaults, set, refused, unset.
    assert!(home.ok(&["worker", "prefs", "show"]).contains("min_free_disk_mb = 1024"));
    home.ok(&["worker", "prefs", "set", "slots", "3"]);
    eventually(|| home.json(&["worker", "list"])["items"][0]["slots"].clone(), |slots| *slots == 3);
    let refused = home.run(&["worker", "prefs", "set", "slotz", "3"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("unknown field `slotz`, expected one of"), "{refused:?}");
    home.ok(&["worker", "prefs", "set", "keep.hours", "1"]);
    home.ok(&["worker", "prefs", "unset", "keep.hours"]);
    assert_eq!(home.json(&["worker", "prefs", "show"])["settings"]["keep"]["hours"], 24);

    // Somebody else: granted, shown, taken back.
    let granted = home.run(&["worker", "grant", ANN, "demo", "--runs-per-day", "5", "--cost-per-day", "2.5"]);
    assert_eq!(granted.code, Some(0), "{granted:?}");
    assert!(granted.stderr.contains("garageswarm worker share"), "{granted:?}");
    let grant = &home.json(&["worker", "status"])["grants"][0];
    assert_eq!((&grant["runs_per_day"], &grant["cost_per_day_usd"]), (&5.into(), &2.5.into()));
    assert!(home.ok(&["worker", "status"]).contains("5 runs a day, $2.50 a day; nothing today"));
    assert!(home.run(&["worker", "grant", "everyone", "command"]).stderr.contains("sandbox"));
    let unknown = home.run(&["worker", "grant", "ann", "demo"]);
    assert!(unknown.code == Some(4) && unknown.stderr.contains("\"ann\""), "{unknown:?}");
    home.ok(&["worker", "ungrant", ANN]);
    home.ok(&["worker", "ungrant", "everyone", "command"]);
    assert_eq!(home.run(&["worker", "ungrant", ANN]).code, Some(4));

    // The owner's pause on this machine is not the coordinator's.
    home.ok(&["worker", "pause"]);
    assert!(home.ok(&["worker", "status"]).contains("paused by you"));
    eventually(|| home.json(&["worker", "list"])["items"][0]["pauses"]["by_owner"].clone(), |by| *by == true);
    home.ok(&["task", "submit", "--tool", "demo", "hello"]);
    assert_eq!(home.json(&["task", "show", "1"])["status"], "queued");
    home.ok(&["worker", "resume"]);
    assert_eq!(home.run(&["task", "logs", "1", "--follow"]).code, Some(0));
}

#[test]
fn no_worker_is_told_and_two_must_be_told_apart() {
    let home = Home::new();
    let none = home.run(&["worker", "status"]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(
        none.stderr.contains("no worker runs on this machine") && none.stderr.contains("garageswarm up"),
        "{none:?}"
    );
    assert_eq!(home.run(&["worker", "prefs", "show"]).code, Some(3));

    let folder = home.path("data").join("worker");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("worker.toml"), "slots = 6 # mine\n").unwrap();
    let asleep = home.run(&["worker", "prefs", "show"]);
    assert!(asleep.stdout.contains("slots = 6") && asleep.stderr.contains("no worker runs"), "{asleep:?}");
    assert_eq!(home.run(&["worker", "prefs", "set", "slots", "2"]).code, Some(3));

    let up = home.up(&[]);
    let key = home.json(&["key", "create", "--name", "second"])["secret"].as_str().unwrap().to_owned();
    let mut second = home.command(&["worker", "run", "--coordinator", &up.url()]);
    second.env("GARAGESWARM_WORKER_KEY", key);
    let mut second = crate::home::Running::start(second);
    second.wait_for("ready ");
    let both = home.run(&["worker", "status"]);
    assert!(
        both.code == Some(2) && both.stderr.contains("local-worker") && both.stderr.contains("--data-dir"),
        "{both:?}"
    );
    let folder = folder.display().to_string();
    assert_eq!(home.json(&["worker", "status", "--data-dir", &folder])["slots"], 6);
}

#[test]
fn the_doctor_reads_the_settings_of_the_worker() {
    let home = Home::new();
    let folder = home.path("data").join("worker");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("worker.toml"), "\n[tools.comand]\nenabled = true\n").unwrap();
    let said = home.run(&["doctor"]);
    assert!(said.stdout.contains("line 2: there is no tool \"comand\""), "{said:?}");
}

#[test]
fn the_doctor_says_where_a_key_was_found_and_not_the_key() {
    let home = Home::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut doctor = home.command(&["doctor"]);
    doctor.env("OPENAI_API_KEY", "sk-hidden-word").env("OPENAI_BASE_URL", format!("http://{nobody}/v1"));
    let said = said(doctor);
    let expected = format!(
        "key: OPENAI_API_KEY in the environment; address: http://{nobody}/v1 (OPENAI_BASE_URL in the environment)"
    );
    // A table breaks its lines where it must.
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert!(words(&said.stdout).contains(&words(&expected)), "{said:?}");
    assert!(words(&said.stdout).contains(&words("garageswarm tool login anthropic-api")), "{said:?}");
    assert!(!said.stdout.contains("hidden-word") && !said.stderr.contains("hidden-word"), "{said:?}");
}
