use std::time::{Duration, Instant};

use swarm_model::FailureClass;
use swarm_model::task::{CostKind, Outcome, TaskInput};
use swarm_tools::ToolEvent;

use crate::harness::{Bench, DEADLINE, lives, pids_in};

#[tokio::test]
async fn what_a_command_writes_is_its_result() {
    let done = Bench::shell("echo one; echo two >&2; printf three").run().await;
    assert_eq!(done.result().text, "one\nthree");
    assert_eq!(done.result().usage.cost_kind, CostKind::None);
    assert_eq!(done.record.exit_code, Some(0));
    assert_eq!(done.lines(), ["one", "three"]);
    assert!(done.events.contains(&ToolEvent::Stderr("two".to_owned())));
    assert!(done.record.first_output_ms.is_some() && done.record.duration_ms.is_some());
}

#[tokio::test]
async fn a_command_may_say_nothing() {
    assert_eq!(Bench::command(&["true"]).run().await.result().text, "");
}

#[tokio::test]
async fn no_shell_looks_at_the_arguments() {
    let done = Bench::command(&["printf", "%s|", "$HOME", "a b", "; echo x", "*"]).run().await;
    assert_eq!(done.result().text, "$HOME|a b|; echo x|*|");
}

#[tokio::test]
async fn a_code_other_than_zero_fails_with_the_last_words() {
    let done = Bench::shell("echo before; echo broken >&2; exit 7").run().await;
    assert_eq!(done.failure(), (FailureClass::ProcessFailed, "the command ended with code 7: broken"));
    assert_eq!(done.partial(), "before\n");
    assert_eq!(done.record.exit_code, Some(7));
}

#[tokio::test]
async fn a_signal_is_a_failure_that_names_it() {
    let done = Bench::shell("kill -SEGV $$").run().await;
    assert_eq!(done.failure().0, FailureClass::ProcessFailed);
    assert!(done.failure().1.contains("signal 11"), "{:?}", done.failure());
    assert_eq!(done.record.exit_code, Some(139));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_missing() {
    let done = Bench::command(&["no-such-program-anywhere"]).run().await;
    assert_eq!(done.failure().0, FailureClass::ToolMissing);
    assert!(done.failure().1.starts_with("no-such-program-anywhere cannot be started"), "{:?}", done.failure());
}

#[tokio::test]
async fn a_large_input_arrives_whole_and_is_closed() {
    let mut bench = Bench::command(&["sh", "-c", "wc -c; ls ../control"]);
    let text = "0123456789".repeat(400_000);
    let TaskInput::Command { stdin, .. } = &mut bench.request.input else { unreachable!() };
    *stdin = Some(text);
    let done = bench.run().await;
    assert_eq!(done.lines().first().map(|line| line.trim()), Some("4000000"));
    assert!(!done.result().text.contains("stdin"), "the input stays on the disk: {}", done.result().text);
}

#[tokio::test]
async fn what_failed_leaves_the_end_of_what_it_wrote() {
    let failed = Bench::shell("seq 1 5000; echo 'grün' >&2; exit 3").run().await;
    let tail = failed.record.raw_tail.as_deref().unwrap();
    assert!(tail.len() <= swarm_model::task::RAW_TAIL_BYTES, "{}", tail.len());
    assert!(tail.contains("\n5000\n") && tail.contains("grün\n"), "{tail}");
    let done = Bench::shell("seq 1 5000").run().await;
    assert_eq!(done.record.raw_tail, None, "of what went well nobody needs it");
}

#[tokio::test]
async fn without_input_there_is_none_to_wait_for() {
    assert_eq!(Bench::command(&["cat"]).run().await.result().text, "");
}

#[tokio::test]
async fn the_environment_is_scrubbed_and_what_is_asked_for_added() {
    let mut bench = Bench::command(&["env"]);
    let TaskInput::Command { env, .. } = &mut bench.request.input else { unreachable!() };
    env.insert("ADDED".to_owned(), "yes".to_owned());
    let done = bench.run().await;
    let names: Vec<_> =
        done.lines().iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned()).collect();
    assert!(names.iter().any(|name| name == "ADDED"));
    // cargo sets many of these for the test itself.
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    let tmp = format!("TMPDIR={}", bench.request.dirs.tmp.display());
    assert!(done.lines().contains(&tmp.as_str()), "{:?}", done.lines());
    let mark = format!("GARAGESWARM_RUN={}", bench.request.mark_prefix());
    assert!(done.lines().iter().any(|line| line.starts_with(&mark)));
}

#[tokio::test]
async fn signals_are_not_blocked_in_the_tool() {
    // Without a shell, which may set its own mask before it starts something.
    let done = Bench::command(&["grep", "SigBlk", "/proc/self/status"]).run().await;
    assert_eq!(done.lines(), ["SigBlk:\t0000000000000000"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_as_such() {
    let done = Bench::shell(r"printf 'a\377\0b\n\303'; printf '\251'").run().await;
    assert_eq!(done.result().text, "a\u{fffd}\u{fffd}b\né");
    assert_eq!(done.lines(), ["a\u{fffd}\u{fffd}b", "é"]);
}

#[tokio::test]
async fn ten_megabytes_in_a_second_arrive_in_order_and_the_result_keeps_the_end() {
    let done = Bench::shell("seq 1 1400000").run().await;
    let lines = done.lines();
    assert_eq!(lines.len(), 1_400_000);
    assert!(lines.iter().enumerate().all(|(n, line)| line.parse() == Ok(n + 1)));
    let text = &done.result().text;
    assert!(text.ends_with("1399999\n1400000\n") && text.len() <= 256 * 1024, "{} bytes", text.len());
}

#[tokio::test]
async fn a_flood_that_nobody_reads_neither_grows_memory_nor_blocks_the_cancel() {
    let bench = Bench::shell("echo $$ > pid; exec yes 0123456789012345678901234567890123456789");
    let mut going = bench.start_with_room(8);
    going.until(|event| matches!(event, ToolEvent::Stdout(_))).await;
    let pid = pids_in(&bench.work().join("pid"), 1).await[0];
    // Nobody takes events any more: the tool stops in the middle of its flood instead of filling our memory.
    let written = || {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse::<u64>().unwrap()
    };
    let mut before = written();
    let mut quiet_since = Instant::now();
    let started = Instant::now();
    while quiet_since.elapsed() < Duration::from_millis(300) {
        assert!(started.elapsed() < DEADLINE, "the flood goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = written();
        if now != before {
            (before, quiet_since) = (now, Instant::now());
        }
    }
    assert!(before < 2 * 1024 * 1024, "{before} bytes were taken though nobody read them");
    let asked = Instant::now();
    going.cancel.cancel();
    let (outcome, _) = tokio::time::timeout(DEADLINE, &mut going.done).await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(!lives(pid));
    assert!(matches!(outcome, Outcome::Cancelled { partial: Some(_) }), "{outcome:?}");
}

#[tokio::test]
async fn a_cancel_ends_the_tree_at_once_and_keeps_what_was_there() {
    let bench = Bench::shell("echo started; echo $$ > pids; sh -c 'echo $$ >> pids; sleep 1000' & wait");
    let mut going = bench.start();
    going.until(|event| *event == ToolEvent::Stdout("started".to_owned())).await;
    let pids = pids_in(&bench.work().join("pids"), 2).await;
    let asked = Instant::now();
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{:?}", done.outcome);
    assert_eq!(done.partial(), "started\n");
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[tokio::test]
async fn a_cancel_before_the_start_is_one() {
    let bench = Bench::shell("sleep 1000");
    let going = bench.start();
    going.cancel.cancel();
    assert!(matches!(going.finish().await.outcome, Outcome::Cancelled { partial: _ }));
}

#[tokio::test]
async fn a_deaf_command_is_killed_after_the_grace() {
    let bench = Bench::shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done");
    let mut going = bench.start();
    going.until(|event| *event == ToolEvent::Stdout("deaf".to_owned())).await;
    let asked = Instant::now();
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(asked.elapsed() >= Duration::from_millis(1900), "no grace: {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_millis(3500), "{:?}", asked.elapsed());
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }));
}

#[tokio::test]
async fn the_wall_clock_ends_a_run() {
    let mut bench = Bench::shell("echo here; sleep 1000");
    bench.request.limits.wall_clock_ms = Some(300);
    let done = bench.run().await;
    assert_eq!(done.failure(), (FailureClass::TimedOut, "the run took longer than 300 ms"));
    assert_eq!(done.partial(), "here\n");
}

#[tokio::test]
async fn silence_ends_a_run_and_words_prolong_it() {
    let mut bench = Bench::shell("for n in 1 2 3 4 5 6; do echo $n; sleep 0.2; done; sleep 1000");
    bench.request.limits.silence_ms = Some(800);
    let done = bench.run().await;
    assert_eq!(done.failure(), (FailureClass::Stalled, "the tool said nothing for 800 ms"));
    assert_eq!(done.partial(), "1\n2\n3\n4\n5\n6\n");
}

#[tokio::test]
async fn a_limit_on_output_ends_a_run() {
    let mut bench = Bench::command(&["yes"]);
    bench.request.limits.output_bytes = Some(1_000_000);
    let done = bench.run().await;
    assert_eq!(done.failure(), (FailureClass::Budget, "the run wrote more than 1000000 bytes"));
}

#[tokio::test]
async fn what_a_finished_command_leaves_behind_is_ended() {
    let bench = Bench::shell(
        "setsid sh -c 'echo $$ > pid; exec sleep 1000' > /dev/null 2>&1 & while [ ! -s pid ]; do sleep 0.01; done; echo done",
    );
    let done = bench.run().await;
    assert_eq!(done.result().text, "done\n");
    let pid = pids_in(&bench.work().join("pid"), 1).await[0];
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_dropped_run_ends_its_processes_and_its_folders() {
    let bench = Bench::shell("echo $$ > pid; sleep 1000");
    let going = bench.start();
    let pid = pids_in(&bench.work().join("pid"), 1).await[0];
    going.done.abort();
    crate::harness::eventually("the process is gone", || !lives(pid)).await;
    crate::harness::eventually("the folders are gone", || !bench.request.dirs.tmp.exists()).await;
}

#[tokio::test]
async fn folders_that_cannot_be_written_are_removed_too() {
    let bench =
        Bench::shell("mkdir -p \"$TMPDIR/a/b\" && touch \"$TMPDIR/a/b/c\" && chmod 500 \"$TMPDIR/a/b\" \"$TMPDIR/a\"");
    bench.run().await.result();
}
