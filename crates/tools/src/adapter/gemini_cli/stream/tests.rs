//! Recorded lines of Gemini CLI 0.61.0, in chunks that end anywhere.

use std::fmt::Write;

use serde_json::json;
use swarm_model::Timestamp;

use super::*;

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_795_280_000_000_000)
    }
}

fn ended(code: i32) -> Ended {
    serde_json::from_value(json!({ "code": code, "by": "itself" })).unwrap()
}

fn events_at(home: PathBuf, recorded: &[u8], code: i32, chunk: usize) -> Vec<ToolEvent> {
    let mut stream = Stream::at(home, Pricing::unknown(), Box::new(Fixed));
    let mut events = Vec::new();
    for chunk in recorded.chunks(chunk) {
        stream.stdout(chunk, &mut events);
    }
    stream.stderr(b"YOLO mode is enabled. All\nlast words\n", &mut events);
    stream.finish(Some(&ended(code)), &mut events);
    events
}

fn events(recorded: &str, code: i32, chunk: usize) -> Vec<ToolEvent> {
    events_at("/nowhere".into(), recorded.as_bytes(), code, chunk)
}

fn check(recorded: &str, code: i32) -> String {
    let whole = events(recorded, code, usize::MAX);
    assert_eq!(events(recorded, code, 7), whole, "the chunks make a difference");
    whole.iter().fold(String::new(), |mut shown, event| {
        writeln!(shown, "{event:?}").unwrap();
        shown
    })
}

macro_rules! recorded {
    ($($name:ident: $file:literal ends with $code:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            let lines = include_str!(concat!("../../../../tests/fixtures/gemini-cli/", $file, ".jsonl"));
            insta::assert_snapshot!(check(lines, $code));
        }
    )*};
}

recorded! {
    a_file_is_written: "write" ends with 0,
    a_call_is_denied: "denied" ends with 0,
    a_credential_is_refused: "unauthorized" ends with 145,
    a_rate_limit_stays: "rate-limited" ends with 173,
    a_quota_is_spent: "quota" ends with 173,
    the_server_is_broken: "outage" ends with 247,
    an_answer_begins_anew: "begun-anew" ends with 0,
    a_stream_fails_midway: "failed-midway" ends with 0,
    a_stream_is_cut: "cut" ends with 1,
    the_model_is_unknown: "unknown-model" ends with 1,
    nothing_is_answered: "empty" ends with 0,
}

#[test]
fn the_session_tells_the_answer_that_began_anew() {
    let lines = include_str!("../../../../tests/fixtures/gemini-cli/begun-anew.jsonl");
    let home = tempfile::tempdir().unwrap();
    let chats = home.path().join(".gemini/tmp/work/chats");
    std::fs::create_dir_all(&chats).unwrap();
    let id = "9192b22c-44d1-451f-90ca-169d779b2290";
    let session =
        format!("{{\"sessionId\":\"{id}\"}}\n{{\"type\":\"gemini\",\"content\":\"whole\",\"model\":\"m-1\"}}\n");
    std::fs::write(chats.join("session-x-9192b22c.jsonl"), session).unwrap();
    let events = events_at(home.path().to_owned(), lines.as_bytes(), 0, 11);
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ToolEvent::Final(end) => Some((end.text.as_str(), end.failure.is_none())),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [("half an whole", true), ("whole", true)]);
    assert!(events.iter().any(|event| matches!(event, ToolEvent::Model(model) if model == "m-1")));
}

#[test]
fn success_is_a_line_that_says_so_and_not_a_code() {
    let lines = "warning\n{\"session_id\":\"s\",\"model\":\"m\",\"type\":\"init\"}\n{\"type\":\"unheard_of\"}\n{\"delta\":true,\"content\":\"so far\",\"role\":\"assistant\",\"type\":\"message\"}\n{\"type\":\"resul";
    let open = events(lines, 0, 5);
    assert_eq!(open[0], ToolEvent::Stdout("warning".to_owned()));
    assert_eq!(open[2], ToolEvent::Text("so far".to_owned()));
    assert!(!open.iter().any(|event| matches!(event, ToolEvent::Final(_))), "{open:?}");
    let Some(ToolEvent::Final(Final { failure: Some(failure), .. })) = events(lines, 55, 5).pop() else { panic!() };
    assert_eq!(failure.error, "it ended with code 55 and without a result: last words");
    assert_eq!(failure.class, FailureClass::Refused);
}

#[test]
fn done_with_nothing_is_a_failure() {
    let last = events("{\"type\":\"result\",\"status\":\"success\"}", 0, 9).pop();
    let Some(ToolEvent::Final(Final { failure: Some(failure), .. })) = last else { panic!("{last:?}") };
    assert_eq!(failure.class, FailureClass::EmptyOutput);
}
