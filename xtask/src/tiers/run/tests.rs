use super::*;

const OUTPUT: &str = "\nrunning 3 tests\ntest a::one ... ok\ntest a::two ... FAILED\ntest three ... ok\n\n\
    successes:\n\n---- three stdout ----\nleft out: PostgreSQL (apt-get install postgresql)\n\nfailures:\n\n\
    ---- a::two stdout ----\nboom\n\n\
    test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n";

#[test]
fn the_harness_is_counted() {
    let tally = counted(OUTPUT);
    assert_eq!((tally.passed, tally.failed), (1, 1), "what was left out has not passed");
    assert_eq!(tally.failures, ["a::two"]);
    let [left_out] = &tally.left_out[..] else { panic!("one is left out") };
    assert_eq!((left_out.test.as_str(), left_out.what.as_str()), ("three", "PostgreSQL (apt-get install postgresql)"));
}

#[cfg(unix)]
fn script(text: &str, which: Which<'_>, limit: Duration) -> Tally {
    use std::os::unix::fs::PermissionsExt;

    let folder = std::env::temp_dir().join(format!("xtask-run-{}-{:?}", std::process::id(), thread::current().id()));
    std::fs::create_dir_all(&folder).unwrap();
    let executable = folder.join("test.sh");
    std::fs::write(&executable, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = TestBinary { name: "it".to_owned(), executable, manifest: folder.join("Cargo.toml") };
    let tally = finished(&binary, which, &[], limit).unwrap().tally("it");
    std::fs::remove_dir_all(&folder).unwrap();
    tally
}

#[cfg(unix)]
#[test]
fn a_crash_counts_as_a_failure() {
    let tally = script("echo 'test one ... ok'; kill -SEGV $$", Which::All, LIMIT);
    assert_eq!((tally.passed, tally.failed), (0, 1));
    assert!(tally.failures[0].contains("signal"), "{:?}", tally.failures);
}

#[cfg(unix)]
#[test]
fn what_takes_too_long_is_stopped() {
    let tally = script("exec sleep 60", Which::All, Duration::from_millis(100));
    assert_eq!(tally.failures, ["it: stopped, it took too long"]);
}

#[cfg(unix)]
#[test]
fn a_process_left_behind_counts_as_a_failure() {
    let tally = script("sleep 8 & echo 'test result: ok. 1 passed; 0 failed;'", Which::All, LIMIT);
    assert_eq!(tally.failures, ["it: a process it started is still there"]);
    assert_eq!(tally.passed, 1);
}

#[cfg(unix)]
#[test]
fn some_tests_are_run_by_their_exact_names() {
    let names = ["a::one".to_owned(), "two".to_owned()];
    let text = r#"[ "$*" = "--show-output --exact a::one two" ] && echo 'test result: ok. 2 passed; 0 failed;'"#;
    assert_eq!(script(text, Which::Named(&names), LIMIT).passed, 2);
}
