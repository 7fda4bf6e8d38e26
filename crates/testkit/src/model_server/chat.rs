//! `POST /v1/chat/completions`, streamed as server-sent events or whole.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::{Counted, Shared, Step, broken_off, endless, held, refusal, streamed};

const SSE: &str = "text/event-stream";
const COUNT: Counted = Counted { input: 100, output: 10, cache_read: 20, cache_write: 0 };

pub(super) fn models() -> Value {
    json!({ "object": "list", "data": [
        { "id": "scripted-chat", "object": "model", "owned_by": "somebody" },
        { "id": "gpt-scripted", "object": "model", "owned_by": "openai" },
        { "id": "text-embedding-scripted", "object": "model", "owned_by": "openai" },
    ] })
}

pub(super) fn answer(shared: &Arc<Shared>, body: &Value) -> Response {
    let completion = Completion::new(shared, body);
    let step = shared.take_step(completion.count);
    match step {
        Step::Refuse { status, kind, message, headers } => refusal(status, &headers, error(&kind, &message)),
        Step::Say(pieces) => completion.all([completion.text(&pieces), completion.closing("stop")].concat()),
        Step::Think { thinking, then } => {
            let pieces = [completion.thinking(&thinking), completion.text(&then), completion.closing("stop")];
            completion.all(pieces.concat())
        }
        Step::Call { name, input } => {
            completion.all([vec![completion.call(&name, &input)], completion.closing("tool_calls")].concat())
        }
        Step::FailMidway { before, message } => {
            let failed = vec![error("server_error", &message)];
            streamed(SSE, stream::iter(events([completion.text(&before), failed].concat())))
        }
        Step::Endless(piece) => endless(SSE, shared.clone(), Vec::new(), events(completion.text(&[piece])).concat()),
        Step::Cut(before) => broken_off(SSE, events(completion.text(&before))),
        Step::Held { before, after } => {
            let mut after = events([completion.text(&after), completion.closing("stop")].concat());
            after.push(done());
            held(SSE, shared.clone(), events(completion.text(&before)), after)
        }
        Step::Raw { status, headers, body } => super::raw(status, &headers, body),
    }
}

fn events(chunks: Vec<Value>) -> Vec<String> {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

fn error(kind: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": kind } })
}

/// The completion that answers one request; its number makes its ids.
struct Completion {
    number: usize,
    model: String,
    is_stream: bool,
    tells_usage: bool,
    count: Counted,
}

impl Completion {
    fn new(shared: &Shared, body: &Value) -> Self {
        Self {
            number: super::lock(&shared.recorded).len(),
            model: body["model"].as_str().unwrap_or("scripted-chat").to_owned(),
            is_stream: body["stream"] == true,
            count: shared.count(COUNT),
            tells_usage: body["stream_options"]["include_usage"] == true,
        }
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.number), "object": "chat.completion.chunk", "created": 1,
            "model": self.model,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
        })
    }

    fn text(&self, pieces: &[String]) -> Vec<Value> {
        pieces.iter().map(|text| self.chunk(&json!({ "role": "assistant", "content": text }), None)).collect()
    }

    fn thinking(&self, pieces: &[String]) -> Vec<Value> {
        pieces.iter().map(|text| self.chunk(&json!({ "reasoning_content": text }), None)).collect()
    }

    fn call(&self, name: &str, input: &Value) -> Value {
        let function = json!({ "name": name, "arguments": input.to_string() });
        let id = format!("call_{}", self.number);
        self.chunk(&json!({ "tool_calls": [{ "index": 0, "id": id, "type": "function", "function": function }] }), None)
    }

    /// The last chunks: why they are the last, and what was used if somebody wants to know.
    fn closing(&self, finish_reason: &str) -> Vec<Value> {
        let last = self.chunk(&json!({}), Some(finish_reason));
        let usage = json!({
            "id": format!("chatcmpl-{}", self.number), "object": "chat.completion.chunk", "model": self.model,
            "choices": [],
            "usage": self.usage(),
        });
        if self.tells_usage { vec![last, usage] } else { vec![last] }
    }

    fn usage(&self) -> Value {
        let Counted { input, output, cache_read, .. } = self.count;
        json!({
            "prompt_tokens": input + cache_read, "completion_tokens": output, "total_tokens": input + cache_read + output,
            "prompt_tokens_details": { "cached_tokens": cache_read },
        })
    }

    /// Everything at once: as events, or the text of them put together.
    fn all(&self, chunks: Vec<Value>) -> Response {
        if self.is_stream {
            return streamed(SSE, stream::iter(events(chunks).into_iter().chain([done()])));
        }
        let pieces = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        let message = json!({ "role": "assistant", "content": pieces.collect::<String>() });
        Json(json!({
            "id": format!("chatcmpl-{}", self.number), "object": "chat.completion", "created": 1, "model": self.model,
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": self.usage(),
        }))
        .into_response()
    }
}
