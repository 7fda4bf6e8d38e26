//! `POST /v1/messages`, streamed as server-sent events or whole.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::{Counted, Shared, Step, broken_off, endless, held, refusal, streamed};

const SSE: &str = "text/event-stream";
const COUNT: Counted = Counted { input: 100, output: 10, cache_read: 20, cache_write: 5 };

pub(super) fn models() -> Value {
    let model = |id: &str| json!({ "type": "model", "id": id, "display_name": id });
    json!({ "data": [model("claude-scripted-20260101")], "has_more": false })
}

pub(super) fn answer(shared: &Arc<Shared>, body: &Value) -> Response {
    let message = Message::new(shared, body);
    let is_streamed = body["stream"] == true;
    match shared.take_step(message.count) {
        Step::Refuse { status, kind, message, headers } => refusal(status, &headers, error(&kind, &message)),
        Step::Say(pieces) if is_streamed => streamed(
            SSE,
            stream::iter([message.opening(), message.text(&pieces), message.closing("end_turn")].concat()),
        ),
        Step::Say(pieces) => {
            Json(message.whole(&json!({ "type": "text", "text": pieces.concat() }), "end_turn")).into_response()
        }
        Step::Think { thinking, then } => streamed(
            SSE,
            stream::iter(
                [message.opening(), message.thinking(&thinking), message.text(&then), message.closing("end_turn")]
                    .concat(),
            ),
        ),
        Step::Call { name, input } if is_streamed => streamed(
            SSE,
            stream::iter([message.opening(), message.call(&name, &input), message.closing("tool_use")].concat()),
        ),
        Step::Call { name, input } => {
            let block = json!({ "type": "tool_use", "id": message.call_id(), "name": name, "input": input });
            Json(message.whole(&block, "tool_use")).into_response()
        }
        Step::FailMidway { before, message: words } if is_streamed => {
            let failed = vec![event("error", &error("overloaded_error", &words))];
            streamed(SSE, stream::iter([message.opening(), message.piece(&before), failed].concat()))
        }
        Step::FailMidway { message, .. } => refusal(529, &[], error("overloaded_error", &message)),
        Step::Endless(piece) => {
            let before = [message.opening(), message.piece(&[])].concat();
            endless(SSE, shared.clone(), before, message.deltas(&[piece]).concat())
        }
        Step::Cut(before) => broken_off(SSE, [message.opening(), message.piece(&before)].concat()),
        Step::Held { before, after } => {
            let before = [message.opening(), message.piece(&before)].concat();
            let after = [message.deltas(&after), vec![block_stop()], message.closing("end_turn")].concat();
            held(SSE, shared.clone(), before, after)
        }
        Step::Raw { status, headers, body } => super::raw(status, &headers, body),
    }
}

fn error(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message } })
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn block_stop() -> String {
    event("content_block_stop", &json!({ "type": "content_block_stop", "index": 0 }))
}

/// The message that answers one request; its number makes its ids.
struct Message {
    number: usize,
    model: String,
    count: Counted,
}

impl Message {
    fn new(shared: &Shared, body: &Value) -> Self {
        let model = body["model"].as_str().unwrap_or("scripted").to_owned();
        Self { number: super::lock(&shared.recorded).len(), model, count: shared.count(COUNT) }
    }

    fn call_id(&self) -> String {
        format!("toolu_{:024}", self.number)
    }

    fn skeleton(&self) -> Value {
        let Counted { input, cache_read, cache_write, .. } = self.count;
        json!({
            "id": format!("msg_{:024}", self.number), "type": "message", "role": "assistant", "model": self.model,
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {
                "input_tokens": input, "output_tokens": 1,
                "cache_read_input_tokens": cache_read, "cache_creation_input_tokens": cache_write,
            },
        })
    }

    fn whole(&self, block: &Value, stop_reason: &str) -> Value {
        let mut message = self.skeleton();
        message["content"] = json!([block]);
        message["stop_reason"] = json!(stop_reason);
        message["usage"]["output_tokens"] = json!(self.count.output);
        message
    }

    fn opening(&self) -> Vec<String> {
        vec![event("message_start", &json!({ "type": "message_start", "message": self.skeleton() }))]
    }

    /// A block of text that stays open.
    fn piece(&self, pieces: &[String]) -> Vec<String> {
        let start =
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
        [vec![event("content_block_start", &start)], self.deltas(pieces)].concat()
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn deltas(&self, pieces: &[String]) -> Vec<String> {
        let delta = |text: &String| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } });
        pieces.iter().map(|text| event("content_block_delta", &delta(text))).collect()
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn thinking(&self, pieces: &[String]) -> Vec<String> {
        let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
        let start = json!({ "type": "content_block_start", "index": 0, "content_block": block });
        let delta = |text: &String| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": text } });
        let deltas = pieces.iter().map(|text| event("content_block_delta", &delta(text)));
        [event("content_block_start", &start)].into_iter().chain(deltas).chain([block_stop()]).collect()
    }

    fn text(&self, pieces: &[String]) -> Vec<String> {
        [self.piece(pieces), vec![block_stop()]].concat()
    }

    fn call(&self, name: &str, input: &Value) -> Vec<String> {
        let block = json!({ "type": "tool_use", "id": self.call_id(), "name": name, "input": {} });
        let start = json!({ "type": "content_block_start", "index": 0, "content_block": block });
        let delta = json!({
            "type": "content_block_delta", "index": 0,
            "delta": { "type": "input_json_delta", "partial_json": input.to_string() },
        });
        vec![event("content_block_start", &start), event("content_block_delta", &delta), block_stop()]
    }

    fn closing(&self, stop_reason: &str) -> Vec<String> {
        let delta = json!({
            "type": "message_delta",
            "delta": { "stop_reason": stop_reason, "stop_sequence": null },
            "usage": { "output_tokens": self.count.output },
        });
        vec![event("message_delta", &delta), event("message_stop", &json!({ "type": "message_stop" }))]
    }
}
