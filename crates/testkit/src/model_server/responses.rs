//! `POST /v1/responses`, as Codex uses it: always streamed as server-sent events.
//!
//! A call whose input is a text is one of a tool that takes free text (`apply_patch`); every other takes JSON.

use std::sync::Arc;

use axum::response::Response;
use futures_util::stream;
use serde_json::{Value, json};

use super::{Counted, Shared, Step, broken_off, endless, held, refusal, streamed};

const SSE: &str = "text/event-stream";
const COUNT: Counted = Counted { input: 100, output: 10, cache_read: 20, cache_write: 0 };

pub(super) fn answer(shared: &Arc<Shared>, body: &Value) -> Response {
    let reply = Reply::new(shared, body);
    match shared.take_step(reply.count) {
        Step::Refuse { status, kind, message, headers } => refusal(status, &headers, error(&kind, &message, &headers)),
        Step::Say(pieces) => {
            let all = [reply.opening(), reply.pieces(&pieces), reply.closing(&reply.message(&pieces.concat()))];
            streamed(SSE, stream::iter(all.concat()))
        }
        Step::Think { thinking, then } => {
            let thought = vec![done(&reply.reasoning(&thinking.concat()))];
            let all = [reply.opening(), thought, reply.pieces(&then), reply.closing(&reply.message(&then.concat()))];
            streamed(SSE, stream::iter(all.concat()))
        }
        Step::Call { name, input } => {
            streamed(SSE, stream::iter([reply.opening(), reply.closing(&reply.call(&name, &input))].concat()))
        }
        Step::FailMidway { before, message } => {
            let failed = json!({ "id": reply.id("resp"), "error": { "code": "server_error", "message": message } });
            let failed = vec![event(&json!({ "type": "response.failed", "response": failed }))];
            streamed(SSE, stream::iter([reply.opening(), reply.pieces(&before), failed].concat()))
        }
        Step::Endless(piece) => {
            let before = [reply.opening(), reply.pieces(&[])].concat();
            endless(SSE, shared.clone(), before, reply.deltas(&[piece]).concat())
        }
        Step::Cut(before) => broken_off(SSE, [reply.opening(), reply.pieces(&before)].concat()),
        Step::Held { before, after } => {
            let whole = [before.concat(), after.concat()].concat();
            let first = [reply.opening(), reply.pieces(&before)].concat();
            let rest = [reply.deltas(&after), reply.closing(&reply.message(&whole))].concat();
            held(SSE, shared.clone(), first, rest)
        }
        Step::Raw { status, headers, body } => super::raw(status, &headers, body),
    }
}

/// A refusal in OpenAI's form; the end of a subscription's window stands in the body.
fn error(kind: &str, message: &str, headers: &[(String, String)]) -> Value {
    let reset = headers.iter().find(|(name, _)| name == "anthropic-ratelimit-unified-reset");
    let (kind, code) = match kind {
        "rate_limit_error" if reset.is_some() => ("usage_limit_reached", None),
        "rate_limit_error" => ("tokens", Some("rate_limit_exceeded")),
        "authentication_error" => ("invalid_request_error", Some("invalid_api_key")),
        "not_found_error" => ("invalid_request_error", Some("model_not_found")),
        other => (other, Some(other)),
    };
    let mut error = json!({ "message": message, "type": kind, "param": null, "code": code });
    if let Some(resets_at) = reset.and_then(|(_, seconds)| seconds.parse::<i64>().ok()) {
        error["resets_at"] = json!(resets_at);
        error["plan_type"] = json!("plus");
    }
    json!({ "error": error })
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or(""))
}

fn done(item: &Value) -> String {
    event(&json!({ "type": "response.output_item.done", "output_index": 0, "item": item }))
}

/// The reply to one request; its number makes its ids.
struct Reply {
    number: usize,
    model: String,
    count: Counted,
}

impl Reply {
    fn new(shared: &Shared, body: &Value) -> Self {
        let model = body["model"].as_str().unwrap_or("scripted").to_owned();
        Self { number: super::lock(&shared.recorded).len(), model, count: shared.count(COUNT) }
    }

    fn id(&self, kind: &str) -> String {
        format!("{kind}_{:024}", self.number)
    }

    fn opening(&self) -> Vec<String> {
        let response = json!({ "id": self.id("resp"), "model": self.model });
        vec![event(&json!({ "type": "response.created", "response": response }))]
    }

    /// A message that stays open.
    fn pieces(&self, pieces: &[String]) -> Vec<String> {
        let item = json!({ "type": "message", "role": "assistant", "id": self.id("msg"), "content": [] });
        let added = json!({ "type": "response.output_item.added", "output_index": 0, "item": item });
        [vec![event(&added)], self.deltas(pieces)].concat()
    }

    fn deltas(&self, pieces: &[String]) -> Vec<String> {
        let delta = |text: &String| {
            event(&json!({
                "type": "response.output_text.delta", "item_id": self.id("msg"), "output_index": 0,
                "content_index": 0, "delta": text,
            }))
        };
        pieces.iter().map(delta).collect()
    }

    fn message(&self, text: &str) -> Value {
        let content = json!([{ "type": "output_text", "text": text }]);
        json!({ "type": "message", "role": "assistant", "id": self.id("msg"), "content": content })
    }

    fn reasoning(&self, text: &str) -> Value {
        let summary = json!([{ "type": "summary_text", "text": text }]);
        json!({ "type": "reasoning", "id": self.id("rs"), "summary": summary, "encrypted_content": null })
    }

    fn call(&self, name: &str, input: &Value) -> Value {
        let call_id = self.id("call");
        match input {
            Value::String(text) => {
                json!({ "type": "custom_tool_call", "id": self.id("ctc"), "call_id": call_id, "name": name, "input": text })
            }
            _ => json!({
                "type": "function_call", "id": self.id("fc"), "call_id": call_id, "name": name,
                "arguments": input.to_string(),
            }),
        }
    }

    /// The item as a whole, and the end.
    fn closing(&self, item: &Value) -> Vec<String> {
        let Counted { input, output, cache_read, .. } = self.count;
        let usage = json!({
            "input_tokens": input + cache_read, "input_tokens_details": { "cached_tokens": cache_read },
            "output_tokens": output, "output_tokens_details": { "reasoning_tokens": 3 },
            "total_tokens": input + cache_read + output,
        });
        let response = json!({ "id": self.id("resp"), "model": self.model, "usage": usage });
        vec![done(item), event(&json!({ "type": "response.completed", "response": response }))]
    }
}
