//! Recorded lines of Claude Code 2.1.197, in chunks that end anywhere.

use std::fmt::Write;

use super::*;

fn events(recorded: &[u8], chunk: usize) -> Vec<ToolEvent> {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::new(Ledger::open(folder.path().to_owned(), None));
    let mut events = Vec::new();
    for chunk in recorded.chunks(chunk) {
        stream.stdout(chunk, &mut events);
    }
    stream.finish(None, &mut events);
    events
}

fn check(recorded: &str) -> String {
    let whole = events(recorded.as_bytes(), usize::MAX);
    assert_eq!(events(recorded.as_bytes(), 7), whole, "the chunks make a difference");
    whole.iter().fold(String::new(), |mut shown, event| {
        writeln!(shown, "{event:?}").unwrap();
        shown
    })
}

macro_rules! recorded {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(check(include_str!(concat!("../../../../tests/fixtures/claude-code/", $file, ".jsonl"))));
        }
    )*};
}

recorded! {
    a_file_is_written: "write",
    a_call_is_denied: "denied",
    a_credential_is_refused: "unauthorized",
    a_rate_limit_is_waited_for: "retry",
    the_server_is_overloaded: "outage",
    a_quota_is_spent: "quota",
    a_stream_is_cut_and_taken_up_without_streaming: "cut",
}

#[test]
fn the_order_of_keys_does_not_matter_and_foreign_lines_are_shown() {
    let lines = "warning: something\n[1]\n\n{\"is_error\":false,\"result\":\"ok\",\"subtype\":\"success\",\"new\":1,\"type\":\"result\"}\n{\"type\":\"unheard_of\"}";
    let events = events(lines.as_bytes(), 5);
    assert_eq!(events[0], ToolEvent::Stdout("warning: something".to_owned()));
    assert_eq!(events[1], ToolEvent::Stdout("[1]".to_owned()));
    assert!(matches!(&events[3], ToolEvent::Final(Final { text, failure: None, .. }) if text == "ok"), "{events:?}");
    assert_eq!(events.len(), 4);
}

#[test]
fn done_with_nothing_is_a_failure() {
    let events = events(b"{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"\"}", 9);
    let Some(ToolEvent::Final(Final { failure: Some(failure), .. })) = events.last() else { panic!("{events:?}") };
    assert_eq!(failure.class, FailureClass::EmptyOutput);
}

#[test]
fn a_helpers_words_are_not_the_answer() {
    let line = json!({
        "type": "assistant", "parent_tool_use_id": "toolu_1",
        "message": { "id": "m", "model": "x", "content": [
            { "type": "text", "text": "inner" }, { "type": "tool_use", "id": "t", "name": "Read", "input": {} }
        ] },
    });
    let events = events(format!("{line}\n").as_bytes(), 100);
    assert_eq!(events, [ToolEvent::ToolCall { id: "t".into(), name: "Read".into(), input: json!({}) }]);
}
