//! `POST /v1beta/models/M:streamGenerateContent` and `:generateContent`.
//!
//! As the real one does: lines end in CR LF, and a stream that is not asked for with `alt=sse` is one JSON array.

use std::sync::Arc;

use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::{Counted, Shared, Step, broken_off, endless, held, refusal, streamed};

const SSE: &str = "text/event-stream";
const STREAM: &str = ":streamGenerateContent";
const WHOLE: &str = ":generateContent";
const COUNT: Counted = Counted { input: 100, output: 10, cache_read: 20, cache_write: 0 };

/// Whether this is a question to a model.
pub(super) fn is_question(path: &str) -> bool {
    path.ends_with(STREAM) || path.ends_with(WHOLE)
}

/// The models; one of them answers no prompts.
pub(super) fn models() -> Value {
    json!({ "models": [
        { "name": "models/gemini-scripted", "supportedGenerationMethods": ["generateContent", "countTokens"] },
        { "name": "models/embedding-scripted", "supportedGenerationMethods": ["embedContent"] },
    ] })
}

pub(super) fn answer(shared: &Arc<Shared>, uri: &Uri) -> Response {
    let reply = Reply::new(shared, uri);
    match shared.take_step(reply.count) {
        Step::Refuse { status, kind, message, headers } => {
            refusal(status, &headers, error(status, &kind, &message, &headers))
        }
        Step::Say(pieces) => reply.all([reply.text(&pieces), vec![reply.closing()]].concat()),
        Step::Think { thinking, then } => {
            let thought = |text: &String| reply.chunk(&json!({ "text": text, "thought": true }));
            let thinking: Vec<_> = thinking.iter().map(thought).collect();
            reply.all([thinking, reply.text(&then), vec![reply.closing()]].concat())
        }
        Step::Call { name, input } => reply.all(vec![reply.call(&name, &input), reply.closing()]),
        Step::FailMidway { before, message } => {
            let failed = error(503, "", &message, &[]);
            if reply.is_sse {
                let chunks = [reply.text(&before), vec![failed]].concat();
                streamed(SSE, stream::iter(chunks.into_iter().map(|chunk| event(&chunk))))
            } else {
                refusal(503, &[], failed)
            }
        }
        Step::Endless(piece) => {
            endless(SSE, shared.clone(), Vec::new(), reply.text(&[piece]).iter().map(event).collect())
        }
        Step::Cut(before) => broken_off(SSE, reply.text(&before).iter().map(event).collect()),
        Step::Held { before, after } => {
            let after = [reply.text(&after), vec![reply.closing()]].concat();
            let events = |chunks: Vec<Value>| chunks.iter().map(event).collect();
            held(SSE, shared.clone(), events(reply.text(&before)), events(after))
        }
        Step::Raw { status, headers, body } => super::raw(status, &headers, body),
    }
}

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\r\n\r\n")
}

/// A refusal in Google's form: when to come again, and which quota is spent, stand in its details.
fn error(status: u16, kind: &str, message: &str, headers: &[(String, String)]) -> Value {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let mut details = Vec::new();
    if kind == "insufficient_quota" {
        let quota = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": quota, "quotaValue": "250" }],
        }));
    }
    for (_, seconds) in headers.iter().filter(|(name, _)| name == "retry-after") {
        details
            .push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") }));
    }
    json!({ "error": { "code": status, "message": message, "status": name, "details": details } })
}

/// The reply to one request; its number makes its ids.
struct Reply {
    number: usize,
    model: String,
    is_sse: bool,
    is_stream: bool,
    count: Counted,
}

impl Reply {
    fn new(shared: &Shared, uri: &Uri) -> Self {
        let name = uri.path().rsplit('/').next().unwrap_or("");
        let model = name.split(':').next().unwrap_or("scripted").to_owned();
        let is_sse = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        let (number, is_stream) = (super::lock(&shared.recorded).len(), uri.path().ends_with(STREAM));
        Self { number, model, is_sse, is_stream, count: shared.count(COUNT) }
    }

    fn chunk(&self, part: &Value) -> Value {
        let prompt = self.count.input + self.count.cache_read;
        json!({
            "candidates": [{ "content": { "role": "model", "parts": [part] }, "index": 0 }],
            "usageMetadata": { "promptTokenCount": prompt, "totalTokenCount": prompt },
            "modelVersion": self.model,
            "responseId": format!("response-{}", self.number),
        })
    }

    fn text(&self, pieces: &[String]) -> Vec<Value> {
        pieces.iter().map(|text| self.chunk(&json!({ "text": text }))).collect()
    }

    fn call(&self, name: &str, input: &Value) -> Value {
        let id = format!("call-{}", self.number);
        let call = json!({ "id": id, "name": name, "args": input });
        self.chunk(&json!({ "functionCall": call, "thoughtSignature": "c2NyaXB0ZWQ=" }))
    }

    /// The last chunk: why it is the last, and what was used.
    fn closing(&self) -> Value {
        let Counted { input, output, cache_read, .. } = self.count;
        let mut last = self.chunk(&json!({ "text": "" }));
        last["candidates"][0]["finishReason"] = json!("STOP");
        last["usageMetadata"] = json!({
            "promptTokenCount": input + cache_read, "cachedContentTokenCount": cache_read,
            "candidatesTokenCount": output - 3, "thoughtsTokenCount": 3, "totalTokenCount": input + cache_read + output,
        });
        last
    }

    /// Everything at once: as events, as one array, or put together.
    fn all(&self, chunks: Vec<Value>) -> Response {
        if self.is_sse {
            return streamed(SSE, stream::iter(chunks.into_iter().map(|chunk| event(&chunk))));
        }
        if self.is_stream {
            return Json(Value::Array(chunks)).into_response();
        }
        let parts: Vec<_> = chunks.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0].clone()).collect();
        let mut whole = chunks.last().cloned().unwrap_or_default();
        whole["candidates"][0]["content"]["parts"] = put_together(&parts);
        Json(whole).into_response()
    }
}

/// Pieces of text become one part; calls stay.
fn put_together(parts: &[Value]) -> Value {
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let calls = parts.iter().filter(|part| part["functionCall"].is_object()).cloned();
    let text = (!text.is_empty()).then(|| json!({ "text": text }));
    Value::Array(text.into_iter().chain(calls).collect())
}
