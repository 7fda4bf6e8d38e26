use serde_json::json;
use swarm_model::task::{CostKind, Limits, Usage};
use tokio::sync::mpsc;

use super::*;
use crate::adapter::EventSink;
use crate::adapter::anthropic_api::Anthropic;
use crate::adapter::gemini_api::Gemini;
use crate::adapter::openai_api::OpenAi;
use crate::event::{Failure, Final, ToolEvent};
use crate::meter::Question as Counted;

fn base() -> Url {
    http::address("https://openrouter.ai/api/v1").unwrap()
}

/// Reads events as a whole answer. Gives what was said besides, how it ended, and the last usage.
async fn read(
    dialect: &dyn Dialect,
    events: &[Value],
    is_closed: bool,
) -> (Vec<ToolEvent>, Result<Final, Failure>, Usage) {
    let meter = Meter::of(&Limits::default(), &ToolSettings::default());
    let question = Counted { model: "asked", prompt_bytes: 0, is_streamed: true, wished: None };
    let call = meter.ask(question).unwrap();
    let mut answer = Answer::new("asked".to_owned());
    call.answered(200);
    for event in events {
        dialect.read(&base(), event, &mut answer);
        call.note(answer.take_seen()).unwrap();
    }
    call.finish();
    if is_closed {
        answer.close();
    }
    let mut said = answer.take_events();
    said.extend(meter.news());
    let (sink, mut notices) = mpsc::channel(8);
    let end = answer.end(&EventSink::new(sink)).await;
    while let Some(notice) = notices.recv().await {
        said.push(notice);
    }
    (said, end, meter.usage().unwrap())
}

fn has_notice(said: &[ToolEvent], part: &str) -> bool {
    said.iter().any(|event| matches!(event, ToolEvent::Notice(text) if text.contains(part)))
}

fn anthropic(stop_reason: &str) -> [Value; 4] {
    [
        json!({ "type": "message_start", "message": { "model": "claude-x", "usage": { "input_tokens": 7, "output_tokens": 1 } } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "so far" } }),
        json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason }, "usage": { "output_tokens": 5 } }),
        json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": 9, "cache_read_input_tokens": 2 } }),
    ]
}

#[tokio::test]
async fn the_count_of_a_message_is_cumulative_and_what_is_not_told_is_unknown() {
    let (_, end, usage) = read(&Anthropic, &anthropic("end_turn"), true).await;
    assert_eq!(end.unwrap().text, "so far");
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_tokens), (Some(7), Some(9), Some(2)));
    assert_eq!((usage.cache_write_tokens, usage.cost_kind), (None, CostKind::Unknown));
}

#[tokio::test]
async fn an_answer_is_cut_refused_or_left_in_the_middle() {
    let (said, end, _) = read(&Anthropic, &anthropic("max_tokens"), true).await;
    assert!(end.is_ok() && has_notice(&said, "cut"), "{said:?}");
    let (_, end, _) = read(&Anthropic, &anthropic("refusal"), true).await;
    assert_eq!(end.unwrap_err().class, FailureClass::Refused);
    for reason in ["end_turn", "max_tokens", "refusal"] {
        let (_, end, _) = read(&Anthropic, &anthropic(reason), false).await;
        assert_eq!(end.unwrap_err().class, FailureClass::Network, "{reason}: without message_stop");
    }
}

fn chat(content: &Value, finish_reason: &str) -> Value {
    json!({ "model": "m", "choices": [{ "delta": { "content": content }, "finish_reason": finish_reason }] })
}

#[tokio::test]
async fn a_chat_ends_in_each_of_its_ways() {
    // Some servers never send the last event.
    assert!(read(&OpenAi, &[chat(&json!("hi"), "stop")], false).await.1.is_ok());
    let (said, end, usage) = read(&OpenAi, &[chat(&json!("hi"), "length")], true).await;
    assert!(end.is_ok() && has_notice(&said, "cut"));
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cost_kind), (None, None, CostKind::Unknown));
    let filtered = read(&OpenAi, &[chat(&json!("hi"), "content_filter")], true).await.1.unwrap_err();
    assert!(filtered.class == FailureClass::Refused && filtered.error.contains("content filter"), "{filtered:?}");
    let pieces = ["I can", "not help"].map(|piece| json!({ "choices": [{ "delta": { "refusal": piece } }] }));
    let refused = read(&OpenAi, &[&pieces[..], &[chat(&Value::Null, "stop")]].concat(), true).await.1.unwrap_err();
    assert!(refused.class == FailureClass::Refused && refused.error.ends_with("I cannot help"), "{refused:?}");
    let cut = read(&OpenAi, &[chat(&json!(""), "length")], true).await.1.unwrap_err();
    assert_eq!(cut.class, FailureClass::EmptyOutput);
}

#[tokio::test]
async fn reasoning_has_several_names() {
    let parts =
        json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "c" }] }, { "type": "text", "text": "d" }]);
    let events = [
        json!({ "choices": [{ "delta": { "reasoning_content": "a" } }] }),
        json!({ "choices": [{ "delta": { "reasoning": "b" } }] }),
        chat(&parts, "stop"),
    ];
    let (said, end, _) = read(&OpenAi, &events, true).await;
    assert_eq!(end.unwrap().text, "d");
    let thoughts = said.iter().filter(|event| matches!(event, ToolEvent::Thinking(_))).count();
    assert_eq!(thoughts, 3);
}

#[tokio::test]
async fn a_router_that_tells_dollars_is_believed() {
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 4, "cost": 0.0125 });
    let (.., usage) =
        read(&OpenAi, &[chat(&json!("hi"), "stop"), json!({ "usage": usage, "choices": [] })], true).await;
    assert_eq!((usage.cost_kind, usage.cost_microusd), (CostKind::Reported, Some(12_500)));
}

fn gemini(finish_reason: &str) -> [Value; 2] {
    [
        json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }, { "thoughtSignature": "x" }] } }], "usageMetadata": { "promptTokenCount": 12 } }),
        json!({
            "candidates": [{ "content": { "parts": [{ "text": "b" }] }, "finishReason": finish_reason, "finishMessage": "because" }],
            "usageMetadata": { "promptTokenCount": 12, "cachedContentTokenCount": 2, "candidatesTokenCount": 3, "thoughtsTokenCount": 40 },
            "modelVersion": "gemini-2.5-flash",
        }),
    ]
}

#[tokio::test]
async fn thoughts_are_billed_as_output() {
    let (_, end, usage) = read(&Gemini, &gemini("STOP"), false).await;
    assert_eq!(end.unwrap().text, "ab");
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_tokens), (Some(10), Some(43), Some(2)));
    assert_eq!((usage.cost_kind, usage.cost_microusd), (CostKind::Priced, Some(111)));
}

#[tokio::test]
async fn google_stops_an_answer_for_many_reasons() {
    let (said, end, _) = read(&Gemini, &gemini("MAX_TOKENS"), false).await;
    assert!(end.is_ok() && has_notice(&said, "cut"));
    for reason in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT"] {
        let refused = read(&Gemini, &gemini(reason), false).await.1.unwrap_err();
        assert_eq!(refused.class, FailureClass::Refused);
        assert!(refused.error.contains(reason) && refused.error.contains("because"), "{}", refused.error);
    }
    let blocked = json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": { "promptTokenCount": 3 } });
    let (_, end, usage) = read(&Gemini, &[blocked], false).await;
    assert_eq!(end.unwrap_err().class, FailureClass::Refused);
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), None));
}

#[test]
fn each_question_goes_to_its_own_address() {
    let ask = Ask { model: "models/a b?c/d", system: None, prompt: "x", bound: None };
    let url = |dialect: &dyn Dialect, base: &str| dialect.question(&http::address(base).unwrap(), &ask).url.to_string();
    assert_eq!(url(&Anthropic, "https://api.anthropic.com"), "https://api.anthropic.com/v1/messages");
    assert_eq!(url(&OpenAi, "https://api.openai.com/v1"), "https://api.openai.com/v1/chat/completions");
    assert_eq!(url(&OpenAi, "http://localhost:1234"), "http://localhost:1234/v1/chat/completions");
    assert_eq!(url(&OpenAi, "https://openrouter.ai/api/v1/"), "https://openrouter.ai/api/v1/chat/completions");
    assert_eq!(
        url(&Gemini, "https://x.example/v1beta"),
        "https://x.example/v1beta/models/a%20b%3Fc%2Fd:streamGenerateContent?alt=sse"
    );
}

#[test]
fn the_default_model_is_one_that_is_there() {
    let default = |dialect: &dyn Dialect, base: &str, listed: &[&str]| {
        let listed: Vec<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        dialect.default_model(&http::address(base).unwrap(), &listed)
    };
    let anthropic = "https://api.anthropic.com";
    assert_eq!(default(&Anthropic, anthropic, &[]).as_deref(), Some("claude-sonnet-5"));
    assert_eq!(
        default(&Anthropic, anthropic, &["claude-opus-9", "claude-sonnet-9"]).as_deref(),
        Some("claude-sonnet-9")
    );
    assert_eq!(default(&Anthropic, "http://localhost:11434", &["qwen3"]).as_deref(), Some("qwen3"));
    assert_eq!(default(&OpenAi, "https://api.openai.com/v1", &["x"]).as_deref(), Some("gpt-5.4-mini"));
    assert_eq!(default(&OpenAi, "http://localhost:1234", &[]), None);
    assert_eq!(default(&Gemini, "https://x.example", &["gemini-pro-latest"]).as_deref(), Some("gemini-pro-latest"));
}
