//! Recorded lines of Codex 0.169.0, in chunks that end anywhere.

use std::fmt::Write;

use swarm_model::Timestamp;

use super::*;

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_795_280_000_000_000)
    }
}

fn events_of(ledger: Ledger, recorded: &[u8], chunk: usize) -> Vec<ToolEvent> {
    let mut stream = Stream::at(ledger, Pricing::unknown(), Box::new(Fixed), TimeZone::UTC);
    let mut events = Vec::new();
    for chunk in recorded.chunks(chunk) {
        stream.stdout(chunk, &mut events);
    }
    stream.finish(None, &mut events);
    events
}

fn events(recorded: &[u8], chunk: usize) -> Vec<ToolEvent> {
    let folder = tempfile::tempdir().unwrap();
    events_of(Ledger::open(folder.path().to_owned(), None), recorded, chunk)
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
            insta::assert_snapshot!(check(include_str!(concat!("../../../../tests/fixtures/codex/", $file, ".jsonl"))));
        }
    )*};
}

recorded! {
    a_file_is_written: "write",
    a_command_fails: "failing",
    a_credential_is_refused: "unauthorized",
    a_rate_limit_stays: "rate-limited",
    a_quota_is_spent: "quota",
    the_server_is_broken: "outage",
    a_stream_is_taken_up_again: "taken-up",
    a_stream_is_cut_for_good: "cut",
    the_model_is_unknown: "unknown-model",
}

/// The end of lines that need no recording.
fn end_of(lines: &str) -> Final {
    match events(lines.as_bytes(), 5).pop() {
        Some(ToolEvent::Final(end)) => end,
        other => panic!("no end but {other:?}"),
    }
}

#[test]
fn the_order_of_keys_does_not_matter_and_foreign_lines_are_shown() {
    let lines = "warning: something\n[1]\n\n{\"item\":{\"text\":\"ok\",\"type\":\"agent_message\"},\"new\":1,\"type\":\"item.completed\"}\n{\"type\":\"unheard.of\"}\n{\"item\":{\"type\":\"unheard_of\",\"id\":\"i\"},\"type\":\"item.started\"}\n{\"type\":\"turn.completed\"}";
    let events = events(lines.as_bytes(), 5);
    assert_eq!(events[..2], ["warning: something", "[1]"].map(|line| ToolEvent::Stdout(line.to_owned())));
    assert_eq!(events[2], ToolEvent::Text("ok".to_owned()));
    let Some(ToolEvent::Final(end)) = events.last() else { panic!("{events:?}") };
    assert_eq!((end.text.as_str(), &end.failure), ("ok", &None));
    assert_eq!(events.len(), 5);
}

#[test]
fn done_with_nothing_is_a_failure() {
    assert_eq!(end_of("{\"type\":\"turn.completed\",\"usage\":{}}").failure.unwrap().class, FailureClass::EmptyOutput);
}

#[test]
fn an_error_that_nothing_followed_is_the_end_and_a_new_connection_is_none() {
    let end = end_of("{\"type\":\"error\",\"message\":\"unexpected status 401 Unauthorized: no\"}\n{\"type\":\"err");
    assert_eq!(end.failure.unwrap().class, FailureClass::Auth);
    let torn = events(b"{\"type\":\"error\",\"message\":\"Reconnecting... 1/2 (x)\"}\n{\"type\":", 9);
    assert_eq!(torn[0], ToolEvent::Notice("Reconnecting... 1/2 (x)".to_owned()));
    assert!(!torn.iter().any(|event| matches!(event, ToolEvent::Final(_))), "{torn:?}");
}

#[test]
fn a_sandbox_that_does_not_work_is_told_once() {
    let item = |n: u32| {
        format!(
            "{{\"type\":\"item.completed\",\"item\":{{\"id\":\"i{n}\",\"type\":\"command_execution\",\"command\":\"ls\",\"aggregated_output\":\"x\\nbwrap: execvp x: No such file\\n\",\"status\":\"failed\"}}}}\n"
        )
    };
    let events = events(format!("{}{}", item(1), item(2)).as_bytes(), 50);
    let notices = events.iter().filter(|event| matches!(event, ToolEvent::Notice(text) if text.contains("sandbox")));
    assert_eq!((notices.count(), events.len()), (1, 5));
}

#[test]
fn the_last_message_is_the_answer_and_all_of_them_are_shown() {
    let message = |text: &str| {
        format!(
            "{{\"type\":\"item.completed\",\"item\":{{\"id\":\"i\",\"type\":\"agent_message\",\"text\":\"{text}\"}}}}\n"
        )
    };
    let lines = format!("{}{}{{\"type\":\"turn.completed\"}}", message("I look."), message("It is so."));
    assert_eq!(end_of(&lines).text, "It is so.");
    let text: Vec<_> =
        events(lines.as_bytes(), 50).into_iter().filter(|event| matches!(event, ToolEvent::Text(_))).collect();
    assert_eq!(text, ["I look.", "\n\nIt is so."].map(|text| ToolEvent::Text(text.to_owned())));
}

#[test]
fn a_thread_is_counted_once_however_often_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let id = "01a1ff28-c5a0-7872-8e14-a0c1cd862825";
    let run = |resumed: Option<&str>, total: u64| {
        let lines = format!(
            "{{\"type\":\"thread.started\",\"thread_id\":\"{id}\"}}\n{{\"type\":\"turn.completed\",\"usage\":{{\"input_tokens\":{total},\"cached_input_tokens\":20,\"output_tokens\":{}}}}}",
            total / 10
        );
        let resumed = resumed.and_then(|id| uuid::Uuid::try_parse(id).ok());
        let events = events_of(Ledger::open(folder.path().to_owned(), resumed), lines.as_bytes(), 9);
        events.into_iter().find_map(|event| match event {
            ToolEvent::Usage(usage) => Some((usage.input_tokens.unwrap(), usage.output_tokens.unwrap())),
            _ => None,
        })
    };
    assert_eq!(run(None, 100), Some((80, 10)));
    assert_eq!(run(Some(id), 300), Some((200, 20)));
    // What another machine's runs of the thread used is not known here.
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(run(Some(id), 300), None);
}
