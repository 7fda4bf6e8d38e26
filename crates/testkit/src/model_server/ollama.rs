//! `POST /api/chat`, streamed as lines of JSON or whole.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::{Counted, Shared, Step, broken_off, endless, held, refusal, streamed};

pub(super) const VERSION: &str = "0.17.4";

const NDJSON: &str = "application/x-ndjson";
const MODEL: &str = "scripted:latest";
const COUNT: Counted = Counted { input: 13, output: 8, cache_read: 0, cache_write: 0 };

pub(super) fn tags() -> Value {
    json!({ "models": [{ "name": MODEL, "model": MODEL, "size": 1 }] })
}

pub(super) fn answer(shared: &Arc<Shared>, body: &Value) -> Response {
    let model = body["model"].as_str().unwrap_or(MODEL).to_owned();
    let is_whole = body["stream"] == false;
    let pieces = |pieces: &[String]| pieces.iter().map(|text| line(&piece(&model, text))).collect::<Vec<_>>();
    let count = shared.count(COUNT);
    let done = |model: &str| done(model, count);
    match shared.take_step(count) {
        Step::Refuse { status, message, headers, .. } => refusal(status, &headers, json!({ "error": message })),
        Step::Say(text) if is_whole => {
            let mut message = done(&model);
            message["message"]["content"] = json!(text.concat());
            Json(message).into_response()
        }
        Step::Say(text) => streamed(NDJSON, stream::iter([pieces(&text), vec![line(&done(&model))]].concat())),
        Step::Think { thinking, then } => {
            let thought = |text: &String| {
                line(&json!({ "model": model, "message": { "role": "assistant", "thinking": text }, "done": false }))
            };
            let thinking: Vec<_> = thinking.iter().map(thought).collect();
            streamed(NDJSON, stream::iter([thinking, pieces(&then), vec![line(&done(&model))]].concat()))
        }
        Step::Call { name, input } => {
            let mut call = piece(&model, "");
            call["message"]["tool_calls"] =
                json!([{ "id": "call_1", "function": { "index": 0, "name": name, "arguments": input } }]);
            streamed(NDJSON, stream::iter([line(&call), line(&done(&model))]))
        }
        Step::FailMidway { before, message } => {
            streamed(NDJSON, stream::iter([pieces(&before), vec![line(&json!({ "error": message }))]].concat()))
        }
        Step::Endless(text) => endless(NDJSON, shared.clone(), Vec::new(), pieces(&[text]).concat()),
        Step::Cut(before) => broken_off(NDJSON, pieces(&before)),
        Step::Held { before, after } => {
            held(NDJSON, shared.clone(), pieces(&before), [pieces(&after), vec![line(&done(&model))]].concat())
        }
        Step::Raw { status, headers, body } => super::raw(status, &headers, body),
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn piece(model: &str, text: &str) -> Value {
    json!({ "model": model, "message": { "role": "assistant", "content": text }, "done": false })
}

fn done(model: &str, count: Counted) -> Value {
    json!({
        "model": model, "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": "stop",
        "total_duration": 3_794_948, "prompt_eval_count": count.input, "eval_count": count.output,
    })
}
