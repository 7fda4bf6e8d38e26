//! How far runs are kept away from a machine, as people ask for it and see it.

use crate::home::{Home, eventually};

#[test]
fn a_level_is_asked_for_had_and_shown() {
    let home = Home::new();
    let _up = home.up(&[]);
    let workers = eventually(|| home.json(&["worker", "list"]), |list| list["items"][0]["status"] == "online");
    let worker = workers["items"][0]["worker_id"].as_str().unwrap().to_owned();
    assert_eq!(home.json(&["worker", "show", &worker])["isolation"]["level"], "sandbox");
    assert!(home.ok(&["worker", "show", &worker]).contains("sandbox"));
    let doctor = home.run(&["doctor"]).stdout;
    assert!(doctor.contains("runs can be kept away at level sandbox, as was tried"), "{doctor}");

    let submit = ["task", "submit", "--tool", "command", "--wait"];
    let run = |flags: &[&str], words: &[&str]| home.run(&[&submit, flags, &["--"], words].concat());
    let look = ["sh", "-c", "id -un; ls -A ~; cat /proc/net/dev | grep -c :"];
    let kept = run(&["--isolation", "sandbox", "--no-network"], &look);
    assert_eq!((kept.code, kept.stdout.as_str()), (Some(0), "run\n1\n"), "{kept:?}");
    assert_eq!(home.json(&["task", "show", "1"])["attempts"][0]["record"]["isolation"], "sandbox");
    assert!(home.ok(&["task", "show", "1"]).contains("isolation"));
    assert_eq!(run(&[], &["true"]).code, Some(0));
    assert_eq!(home.json(&["task", "show", "2"])["attempts"][0]["record"]["isolation"], "own");

    // What no machine has proved is waited for.
    let submit = ["task", "submit", "--tool", "command", "--isolation", "container", "--", "true"];
    home.ok(&submit);
    let placement = home.ok(&["task", "placement", "3"]);
    assert!(placement.contains("the machine offers isolation sandbox, and container is demanded"), "{placement}");
    let wrong = home.run(&["task", "submit", "--network", "https://example.org", "x"]);
    assert!(wrong.stderr.contains("is no host"), "{wrong:?}");
}
