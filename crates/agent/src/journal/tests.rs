use std::io::Write;
use std::time::Duration;

use serde_json::json;
use swarm_model::log::{LogStream, MAX_ENTRY_BYTES};
use swarm_model::task::TaskResult;
use swarm_model::time::SystemClock;
use swarm_tools::event::LogPiece;

use super::lines::mend;
use super::*;
use crate::disk::Storage;
use crate::ledger::Ledger;
use crate::settings::{Keep, Settings};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn assignment(number: i64) -> Assignment {
    serde_json::from_value(json!({
        "task_id": format!("018f2d3a-0000-7000-8000-{number:012x}"),
        "number": number,
        "attempt": 2,
        "user_id": "018f2d3a-0000-7000-8000-000000000001",
        "by_owner": true,
        "tool": "demo",
        "description": "say hello",
        "input": { "kind": "prompt" },
    }))
    .unwrap()
}

fn completed(assignment: &Assignment) -> AttemptResult {
    let outcome = Outcome::Completed { result: TaskResult { text: "hello".to_owned(), ..TaskResult::default() } };
    AttemptResult { attempt: assignment.attempt_ref(), outcome, record: swarm_model::task::RunRecord::default() }
}

fn made(runs_dir: &Path, assignment: &Assignment) -> RunFolder {
    let folder = RunFolder::of(runs_dir, assignment);
    folder.create(assignment).unwrap();
    folder
}

fn piece(text: &str) -> LogPiece {
    LogPiece { stream: LogStream::Stdout, text: text.to_owned(), data: None }
}

fn write(folder: &RunFolder, texts: &[&str]) -> Tip {
    let tip = Tip::default();
    let mut journal = Journal::create(&folder.journal()).unwrap();
    for text in texts {
        journal.append([piece(text)], &SystemClock, &tip).unwrap();
    }
    tip
}

#[test]
fn lines_are_read_back_in_batches_with_their_numbers() {
    let runs = tempfile::tempdir().unwrap();
    let folder = made(runs.path(), &assignment(1));
    let long = "\u{1}".repeat(MAX_ENTRY_BYTES);
    let texts: Vec<String> = (1..=40).map(|n| if n % 7 == 0 { long.clone() } else { format!("line {n}") }).collect();
    let tip = write(&folder, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(tip.lines(), 40);

    let mut reader = LogReader::new(folder.journal());
    let mut read = Vec::new();
    while reader.place().after < tip.lines() {
        read.extend(reader.read(tip.lines()).unwrap());
    }
    assert_eq!(read.iter().map(|line| line.n).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert!(read.iter().zip(&texts).all(|(line, text)| line.text == *text));

    reader.find(38).unwrap();
    let last: Vec<_> = reader.read(40).unwrap().into_iter().map(|line| line.n).collect();
    assert_eq!(last, [39, 40]);
    reader.go_to(Place::START);
    assert_eq!(reader.read(2).unwrap().len(), 2, "not beyond what is published");
    assert!(reader.read(2).unwrap().is_empty());
}

#[test]
fn a_torn_last_line_is_cut_and_nothing_else() {
    for torn in ["{\"n\":4,\"stream\":\"std", "\0\0\0\0", "{\"n\":9,\"text\":\"x\"}\n", "{\"n\":4}"] {
        let runs = tempfile::tempdir().unwrap();
        let folder = made(runs.path(), &assignment(1));
        write(&folder, &["one", "two", "three"]);
        let whole = fs::metadata(folder.journal()).unwrap().len();
        fs::OpenOptions::new().append(true).open(folder.journal()).unwrap().write_all(torn.as_bytes()).unwrap();
        assert_eq!(mend(&folder.journal()).unwrap(), 3, "{torn:?}");
        assert_eq!(fs::metadata(folder.journal()).unwrap().len(), whole, "{torn:?}");
    }
}

#[test]
fn a_new_process_knows_what_the_old_one_promised() {
    let runs = tempfile::tempdir().unwrap();
    // Killed before the assignment was whole; nobody heard of it.
    fs::create_dir(runs.path().join("7-1-0a0b0c0d")).unwrap();
    // Accepted, killed in the middle.
    let lost = made(runs.path(), &assignment(1));
    write(&lost, &["one"]);
    fs::create_dir(lost.path.join("tmp")).unwrap();
    // Finished, not acknowledged, with the draft of a second write.
    let finished = made(runs.path(), &assignment(2));
    write(&finished, &["one", "two"]);
    finished.write_result(&completed(&assignment(2))).unwrap();
    fs::write(finished.path.join("result.draft"), "{").unwrap();
    // Finished and acknowledged.
    let done = made(runs.path(), &assignment(3));
    done.write_result(&completed(&assignment(3))).unwrap();
    done.close(Closing::Acknowledged, false, NOW).unwrap();
    // Something of the owner's.
    fs::create_dir(runs.path().join("my-1-photos")).unwrap();

    let data = tempfile::tempdir().unwrap();
    for _start in 0..2 {
        let recovered =
            recover(runs.path(), &Mirrors::new(data.path()), &Ledger::open(data.path()).unwrap(), NOW).unwrap();
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].assignment, assignment(2));
        assert_eq!(recovered[0].result, completed(&assignment(2)));
        assert_eq!(recovered[0].lines, 2);
        assert_eq!(lost.closed().unwrap().why, Closing::Lost);
        assert!(!lost.path.join("tmp").exists());
        assert!(!runs.path().join("7-1-0a0b0c0d").exists());
        assert!(runs.path().join("my-1-photos").exists());
    }
}

#[test]
fn folders_go_by_age_and_failures_stay_longer() {
    let (runs, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = Storage::new(data.path(), runs.path().to_owned());
    let settings = Settings { keep: Keep { hours: 24, failed_hours: 48, ..Keep::default() }, ..Settings::default() };
    for (number, failed) in [(1, false), (2, true)] {
        let folder = made(runs.path(), &assignment(number));
        folder.close(Closing::Acknowledged, failed, NOW).unwrap();
    }
    let open = made(runs.path(), &assignment(3));
    for (hours, expected) in [(23, 0), (25, 1), (1000, 1)] {
        let now = NOW + Duration::from_secs(hours * 3600);
        assert_eq!(storage.clean(&settings, || true, now).unwrap().n_removed, expected, "after {hours} hours");
    }
    assert!(open.path.exists(), "what is still needed never goes");
}

#[test]
fn a_full_disk_takes_the_good_ones_first() {
    let (runs, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = Storage::new(data.path(), runs.path().to_owned());
    let folders: Vec<_> = [(1, true), (2, false), (3, false)]
        .into_iter()
        .map(|(number, failed)| {
            let folder = made(runs.path(), &assignment(number));
            folder.close(Closing::Acknowledged, failed, NOW + Duration::from_secs(10 - number as u64)).unwrap();
            folder
        })
        .collect();
    let clean = |has_room: &dyn Fn() -> bool| storage.clean(&Settings::default(), has_room, NOW).unwrap().n_removed;
    assert_eq!(clean(&|| !folders[2].path.exists()), 1);
    assert!(folders[0].path.exists() && folders[1].path.exists());
    assert_eq!(clean(&|| false), 2);
}

#[test]
fn a_removal_that_was_begun_is_finished() {
    let (runs, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = made(runs.path(), &assignment(1));
    folder.close(Closing::Acknowledged, false, NOW).unwrap();
    fs::rename(&folder.path, folder.path.with_extension(GONE)).unwrap();
    fs::create_dir(runs.path().join("mine.gone")).unwrap();
    let mirrors = Mirrors::new(data.path());
    recover(runs.path(), &mirrors, &Ledger::open(data.path()).unwrap(), NOW).unwrap();
    let left: Vec<_> = fs::read_dir(runs.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.gone"]);
}

/// An assignment of a prompt for a tool that has sessions.
fn prompt(number: i64, attempt: u32) -> Assignment {
    Assignment { attempt, tool: "claude-code".parse().unwrap(), ..assignment(number) }
}

#[test]
fn an_interrupted_attempt_is_found_by_the_next_one_and_by_nobody_else() {
    let runs = tempfile::tempdir().unwrap();
    let folder = made(runs.path(), &prompt(1, 1));
    write(&folder, &["one"]);
    fs::create_dir(folder.work()).unwrap();
    fs::write(folder.work().join("half.txt"), "x").unwrap();
    let state = PathBuf::from("/state");
    let (tool, session) = ("claude-code".parse().unwrap(), "s-1".to_owned());
    folder.keep_session(&KeptSession { tool, state: state.clone(), session }).unwrap();
    assert_eq!(interrupted(runs.path(), &prompt(1, 2)), None, "it still runs");
    folder.close(Closing::Lost, true, NOW).unwrap();

    assert_eq!(interrupted(runs.path(), &prompt(2, 2)), None, "another task");
    assert_eq!(interrupted(runs.path(), &prompt(1, 1)), None, "itself");
    assert_eq!(interrupted(runs.path(), &assignment(1)), None, "a tool that only talks");
    let found = interrupted(runs.path(), &prompt(1, 3)).unwrap();
    let tool = prompt(1, 1).tool;
    assert_eq!(found.session(&tool, &state), Some("s-1"));
    assert_eq!(found.session(&tool, Path::new("/other")), None, "a session of another account");
    assert_eq!(found.session(&"codex".parse().unwrap(), &state), None, "a session of another tool");
    let words = found.begin_again("Do it.");
    assert!(words.contains("it holds half.txt") && words.ends_with("\n\nDo it."), "{words}");

    // Killed in the middle of taking it over, it is still that of an attempt that is closed.
    fs::rename(folder.journal(), folder.path.join("journal-1.ndjson")).unwrap();
    assert_eq!(interrupted(runs.path(), &prompt(1, 2)).as_ref(), Some(&found));
    folder.write_assignment(&prompt(1, 2)).unwrap();
    assert_eq!(interrupted(runs.path(), &prompt(1, 3)).as_ref(), Some(&found));
    // It goes on in the same place, with a journal of its own.
    found.folder.adopt(&prompt(1, 3)).unwrap();
    assert_eq!(folder.assignment().unwrap().attempt, 3);
    assert!(folder.closed().is_none() && folder.path.join("journal-1.ndjson").exists());
    write(&folder, &["two"]);
    assert!(found.folder.adopt(&prompt(1, 4)).is_err(), "it is taken");
    // Its failure is one, and the next attempt begins anew.
    folder.write_result(&completed(&prompt(1, 3))).unwrap();
    folder.close(Closing::Acknowledged, true, NOW).unwrap();
    assert_eq!(interrupted(runs.path(), &prompt(1, 4)), None);
}

#[test]
fn a_paused_attempt_goes_on_where_the_coordinator_names_its_session() {
    let runs = tempfile::tempdir().unwrap();
    let folder = made(runs.path(), &prompt(1, 1));
    let (tool, session) = ("claude-code".parse().unwrap(), "s-1".to_owned());
    folder.keep_session(&KeptSession { tool, state: "/state".into(), session }).unwrap();
    folder.write_result(&completed(&prompt(1, 1))).unwrap();
    folder.close(Closing::Acknowledged, true, NOW).unwrap();
    assert_eq!(interrupted(runs.path(), &prompt(1, 2)), None);
    let named = |text: &str| Assignment { resume_session: Some(text.to_owned()), ..prompt(1, 2) };
    assert_eq!(interrupted(runs.path(), &named("s-2")), None);
    let input = swarm_model::task::TaskInput::Prompt { system: None, session: Some("s-1".to_owned()) };
    assert_eq!(interrupted(runs.path(), &Assignment { input, ..named("s-1") }), None, "the task names it always");
    let found = interrupted(runs.path(), &named("s-1")).unwrap();
    found.folder.adopt(&named("s-1")).unwrap();
    assert!(folder.result().is_none() && folder.path.join("result-1.json").exists());
}

#[test]
fn nothing_that_was_done_is_nothing_to_go_on_with() {
    let runs = tempfile::tempdir().unwrap();
    for closing in [Closing::Lost, Closing::HandedBack, Closing::Stale] {
        let folder = made(runs.path(), &prompt(1, 1));
        folder.close(closing, true, NOW).unwrap();
        assert_eq!(interrupted(runs.path(), &prompt(1, 2)), None, "{closing:?}");
        fs::create_dir(folder.work()).unwrap();
        fs::write(folder.work().join("a"), "").unwrap();
        assert!(interrupted(runs.path(), &prompt(1, 2)).is_some(), "{closing:?}");
    }
}

#[test]
fn a_journal_that_cannot_grow_keeps_its_numbers() {
    let runs = tempfile::tempdir().unwrap();
    let folder = made(runs.path(), &assignment(1));
    let tip = Tip::default();
    let mut journal = Journal::create(&folder.journal()).unwrap();
    journal.append([piece("one"), piece("two")], &SystemClock, &tip).unwrap();
    journal.append([], &SystemClock, &tip).unwrap();
    assert_eq!(tip.lines(), 2);
    assert!(Journal::create(&folder.journal()).is_err(), "a journal has one writer");
    assert_eq!(mend(&folder.journal()).unwrap(), 2);
}

#[test]
fn what_others_did_counts_once_however_the_agent_died() {
    let (runs, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of_other = |number| Assignment { by_owner: false, ..assignment(number) };
    // Killed in the middle, after the tool said twice what it cost so far.
    let lost = made(runs.path(), &of_other(1));
    let usage = |cost| LogPiece {
        stream: LogStream::Usage,
        text: String::new(),
        data: Some(json!({ "cost_microusd": cost, "cost_kind": "reported" })),
    };
    let mut journal = Journal::create(&lost.journal()).unwrap();
    journal.append([usage(3), piece("one"), usage(5), piece("two")], &SystemClock, &Tip::default()).unwrap();
    // Killed between its result and its line in the ledger.
    let finished = made(runs.path(), &of_other(2));
    let mut result = completed(&of_other(2));
    result.record.usage.cost_microusd = Some(7);
    finished.write_result(&result).unwrap();
    // The owner's own.
    made(runs.path(), &assignment(3)).write_result(&completed(&assignment(3))).unwrap();
    for _start in 0..3 {
        let ledger = Ledger::open(data.path()).unwrap();
        let recovered = recover(runs.path(), &Mirrors::new(data.path()), &ledger, NOW).unwrap();
        ledger.prune(&recovered.iter().map(|found| found.assignment.attempt_ref()).collect(), NOW).unwrap();
        let used: Vec<_> = ledger.today(NOW).into_values().collect();
        assert_eq!(used, [crate::ledger::Used { runs: 2, cost_microusd: 12 }]);
    }
}
