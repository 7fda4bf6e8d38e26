use super::*;

#[test]
fn what_is_no_address_is_refused_with_a_hint() {
    for address in ["localhost:11434", "ollama", "file:///tmp"] {
        let settings = ToolSettings { url: Some(address.to_owned()), ..ToolSettings::default() };
        let refused = Ollama::new(Variables::default()).resolve(&settings).unwrap_err();
        assert!(matches!(&refused, Obstacle::Missing(fix) if fix.contains("such as")), "{address}: {refused:?}");
    }
}

#[test]
fn a_call_of_a_tool_is_an_answer_too() {
    let line = br#"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true}"#;
    let (mut answer, mut events) = (Answer::new("m".to_owned()), Vec::new());
    answer.line(&Framed::Line(line), &mut events).unwrap();
    assert!(events.contains(&ToolEvent::ToolCall { id: "call-1".into(), name: "f".into(), input: json!({ "a": 1 }) }));
    assert!(answer.end().is_ok());
}

#[test]
fn silence_is_no_answer() {
    let (mut answer, mut events) = (Answer::new("m".to_owned()), Vec::new());
    answer.line(&Framed::Line(br#"{"message":{"content":""},"done":true}"#), &mut events).unwrap();
    assert_eq!(answer.end().unwrap_err().class, FailureClass::EmptyOutput);
}
