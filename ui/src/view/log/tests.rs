use serde_json::json;
use swarm_model::Timestamp;

use super::*;

fn entry(seq: u64, stream: LogStream, text: &str) -> LogEntry {
    let at = Timestamp::from_micros(1_795_188_667_000_000 + i64::try_from(seq).unwrap() * 500_000);
    LogEntry { seq, attempt: 1, stream, text: text.to_owned(), data: None, at }
}

fn with_data(entry: LogEntry, data: serde_json::Value) -> LogEntry {
    LogEntry { data: Some(data), ..entry }
}

fn log(entries: Vec<LogEntry>) -> LogView {
    let mut log = LogView::new(Bounds::PAGE, 0);
    log.extend(entries);
    log
}

fn text(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.pieces.iter().map(|piece| piece.text.as_str()).collect()).collect()
}

fn all(log: &LogView) -> Vec<String> {
    text(&log.rows(0..log.total_rows(), None))
}

#[test]
fn pieces_of_an_answer_flow_together() {
    let pieces = ["Hel", "lo ", "world\n", "\nsecond", " paragraph\n"];
    let log = log((1..).zip(pieces).map(|(seq, text)| entry(seq, LogStream::Text, text)).collect());
    assert_eq!(all(&log), ["Hello world", "", "second paragraph"]);
    let rows = log.rows(0..3, None);
    assert_eq!([rows[0].seq, rows[1].seq, rows[2].seq], [Some(1), None, None]);
}

#[test]
fn lines_of_a_command_stay_apart_and_end_an_answer() {
    let log = log(vec![
        entry(1, LogStream::Stdout, "one"),
        entry(2, LogStream::Stdout, ""),
        entry(3, LogStream::Text, "a"),
        entry(4, LogStream::Stderr, "two\nthree\n"),
        entry(5, LogStream::Text, "b"),
    ]);
    assert_eq!(all(&log), ["one", "", "a", "two", "three", "b"]);
}

#[test]
fn what_came_already_is_passed_over() {
    let mut log = log(vec![entry(1, LogStream::Stdout, "one")]);
    log.extend(vec![entry(1, LogStream::Stdout, "one"), entry(2, LogStream::Stdout, "two")]);
    assert_eq!(all(&log), ["one", "two"]);
    assert_eq!(log.last_seq(), 2);
}

#[test]
fn usage_is_told_where_there_is_any() {
    let log = log(vec![
        with_data(
            entry(1, LogStream::Usage, "18204 tokens in"),
            json!({"input_tokens": 18204, "cost_microusd": 90_000}),
        ),
        with_data(entry(2, LogStream::Usage, "unknown"), json!({"cost_kind": "none"})),
        entry(3, LogStream::Usage, "in the worker's words"),
    ]);
    assert_eq!(all(&log), ["usage 18,204 in · $0.09", "in the worker's words"]);
    assert_eq!(log.last_seq(), 3);
    assert_eq!((log.seq_at(0), log.seq_at(1), log.seq_at(9)), (1, 3, 3));
}

#[test]
fn a_new_attempt_is_marked() {
    let second = LogEntry { attempt: 2, ..entry(2, LogStream::Text, "again") };
    let log = log(vec![entry(1, LogStream::Text, "first"), second]);
    assert_eq!(all(&log), ["first", "Attempt 2 begins here.", "again"]);
}

fn with_a_call() -> LogView {
    log(vec![
        with_data(
            entry(1, LogStream::ToolCall, "Bash {..}"),
            json!({"id": "t1", "name": "Bash", "input": {"command": "cargo test\nx"}}),
        ),
        with_data(entry(5, LogStream::ToolResult, "running 2 tests\nok"), json!({"id": "t1", "is_error": false})),
        with_data(entry(6, LogStream::ToolCall, "Read {..}"), json!({"id": "t2", "name": "Read", "input": {}})),
    ])
}

#[test]
fn what_a_call_gave_back_folds_under_it() {
    let mut log = with_a_call();
    assert_eq!(all(&log), ["Bash cargo test", "Read {..}"]);
    let rows = log.rows(0..2, None);
    assert_eq!(rows[0].aside, "2 lines · 2.0 s");
    assert_eq!(rows[0].call, Some(("t1".to_owned(), false)));
    assert_eq!(rows[1].aside, "running");

    log.toggle_call("t1");
    assert_eq!(all(&log), ["Bash cargo test", "running 2 tests", "ok", "Read {..}"]);
    log.toggle_call("t1");
    assert_eq!(log.total_rows(), 2);
    log.open_all(true);
    assert_eq!(log.total_rows(), 4);
}

#[test]
fn a_place_that_is_folded_is_found_and_opened() {
    let mut log = with_a_call();
    let find = log.find("RUNNING");
    assert_eq!((find.count(), find.current()), (1, 1));
    let row = log.reveal(find.line().unwrap()).unwrap();
    assert_eq!(row, 1);
    let rows = log.rows(row..row + 1, Some(&find));
    assert_eq!(rows[0].pieces.iter().map(|piece| piece.hit).collect::<Vec<_>>(), [Hit::Current, Hit::No]);
}

#[test]
fn places_go_round_and_stay_when_the_log_grows() {
    let mut log = log((1..=3).map(|seq| entry(seq, LogStream::Stdout, "say ab and ab")).collect());
    let mut find = log.find("ab");
    assert_eq!((find.count(), find.current()), (6, 6), "the newest first");
    find.step(true);
    assert_eq!(find.current(), 1);
    find.step(false);
    find.step(false);
    assert_eq!(find.current(), 5);
    log.extend(vec![entry(4, LogStream::Stdout, "ab")]);
    let mut grown = log.find("ab");
    grown.stay_at(&find);
    assert_eq!((grown.count(), grown.current()), (7, 5));
    assert_eq!(log.find("").count(), 0);
}

#[test]
fn a_window_holds_only_its_rows_also_of_broken_lines() {
    let mut log =
        log((1..=100).map(|seq| entry(seq, LogStream::Stdout, &format!("{seq:04} aaaa bbbb cccc"))).collect());
    assert_eq!(log.total_rows(), 100);
    log.set_columns(Some(10));
    assert_eq!(log.total_rows(), 200);
    let rows = log.rows(3..6, None);
    assert_eq!(text(&rows), ["bbbb cccc", "0003 aaaa ", "bbbb cccc"]);
    assert_eq!(
        rows.iter().map(|row| (row.line, row.part, row.seq)).collect::<Vec<_>>(),
        [(1, 1, None), (2, 0, Some(3)), (2, 1, None)]
    );
    assert_eq!(text(&log.tail(3)), ["bbbb cccc", "0100 aaaa ", "bbbb cccc"]);
    assert!(log.rows(500..600, None).is_empty());
}

#[test]
fn old_lines_leave_and_it_is_known_how_many() {
    let mut log = LogView::new(Bounds { lines: 10, bytes: 1000 }, 0);
    log.extend((1..=10).map(|seq| entry(seq, LogStream::Stdout, "x")).collect());
    assert_eq!(log.missing_before(), 0);
    let left = log.extend((11..=14).map(|seq| entry(seq, LogStream::Stdout, "x")).collect());
    assert_eq!((left, log.total_rows(), log.missing_before()), (4, 10, 4));
    assert_eq!(log.rows(0..1, None)[0].line, 4, "a line keeps its name");

    log.extend(vec![entry(15, LogStream::Stdout, &"y".repeat(2000))]);
    assert_eq!((log.total_rows(), log.missing_before()), (1, 14), "the last line stays however long it is");
}

#[test]
fn a_log_that_is_read_from_its_middle_says_so() {
    let log = LogView::new(Bounds::PAGE, 4000);
    assert_eq!((log.missing_before(), log.last_seq()), (4000, 4000));
}

/// Ten megabytes, in the largest entries there are and in the smallest.
#[test]
fn ten_megabytes_keep_within_bounds() {
    for size in [16 * 1024, 80] {
        let mut log = LogView::new(Bounds::PAGE, 0);
        log.set_columns(Some(100));
        let n = (10 << 20) / size as u64;
        for seq in 1..=n {
            log.extend(vec![entry(seq, LogStream::Stdout, &"z".repeat(size))]);
        }
        assert!(log.lines.len() <= Bounds::PAGE.lines && log.bytes <= Bounds::PAGE.bytes);
        assert_eq!(log.rows(log.total_rows() - 50..log.total_rows(), None).len(), 50);
        assert_eq!(log.total_rows, log.lines.iter().map(|line| line.rows).sum::<usize>());
    }
}
