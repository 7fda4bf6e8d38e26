use super::*;

#[test]
fn long_text_is_cut_between_characters_and_nothing_is_lost() {
    let text: String = "aé😀".repeat(9_000);
    let cut = ToolEvent::Text(text.clone()).into_log();
    assert!(cut.len() > 3);
    assert!(cut.iter().all(|piece| piece.text.len() <= MAX_ENTRY_BYTES && piece.stream == LogStream::Text));
    assert_eq!(cut.into_iter().map(|piece| piece.text).collect::<String>(), text);
}

#[test]
fn an_empty_line_stays_a_line() {
    let log = ToolEvent::Stdout(String::new()).into_log();
    assert_eq!(log, [LogPiece { stream: LogStream::Stdout, text: String::new(), data: None }]);
}

#[test]
fn colours_are_left_for_the_viewer_to_escape() {
    assert_eq!(ToolEvent::Stdout("\u{1b}[31mred".to_owned()).into_log()[0].text, "\u{1b}[31mred");
}

#[test]
fn a_huge_call_shows_its_beginning() {
    let input = json!({ "content": "x".repeat(100_000) });
    let log = ToolEvent::ToolCall { id: "c".into(), name: "Write".into(), input }.into_log();
    let data = log[0].data.clone().unwrap();
    assert_eq!(data["name"], "Write");
    assert_eq!(data["input"]["cut"], true);
    assert!(data.to_string().len() <= MAX_ENTRY_BYTES);
}

#[test]
fn the_data_of_a_long_result_stands_once() {
    let text = "y".repeat(3 * MAX_ENTRY_BYTES);
    let log = ToolEvent::ToolResult { id: "c".into(), is_error: true, text }.into_log();
    assert_eq!(log.iter().map(|piece| piece.data.is_some()).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn the_end_and_progress_are_no_lines() {
    assert!(ToolEvent::Progress(3).into_log().is_empty());
    assert!(ToolEvent::Final(Final::default()).into_log().is_empty());
}
