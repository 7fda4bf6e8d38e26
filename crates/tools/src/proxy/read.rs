//! What an event or a whole document of an answer says about tokens and models.
//!
//! Only that is read: the text of an answer is weighed and not kept, so that watching costs less than passing on.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::weigh::Piece;
use super::wire::Wire;
use crate::adapter::{anthropic_api, gemini_api, openai_api};
use crate::meter::{Seen, Tokens};

/// Takes a document of an answer. What is none is passed over.
pub(super) fn document(wire: Wire, base: &Url, bytes: &[u8], seen: &mut Seen) {
    let read = match wire {
        Wire::Messages => messages(bytes, seen),
        Wire::Chat => chat(base, bytes, seen),
        Wire::Responses => responses(bytes, seen),
        Wire::Gemini => gemini(bytes, seen),
        Wire::Ollama => own(bytes, seen),
    };
    if let Err(error) = read {
        tracing::trace!(%error, ?wire, "a piece of an answer was passed on and not understood");
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    message: Option<Opening>,
    delta: Option<Piece>,
    model: Option<String>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Opening {
    model: Option<String>,
    #[serde(default)]
    usage: Value,
}

fn messages(bytes: &[u8], seen: &mut Seen) -> Result<(), serde_json::Error> {
    let event: Event<'_> = serde_json::from_slice(bytes)?;
    match (event.kind.as_ref(), event.message, event.usage) {
        ("message_start", Some(message), _) => {
            seen.name(message.model.as_deref());
            // What is written is not counted yet: the one token here stands for all that come.
            seen.count(Tokens { output: None, ..anthropic_api::tokens(&message.usage) });
        }
        ("message_delta" | "message", _, Some(usage)) => {
            seen.name(event.model.as_deref());
            seen.count(anthropic_api::tokens(&usage));
        }
        ("content_block_delta", ..) => seen.piece(event.delta.unwrap_or_default().0),
        _ => {}
    }
    Ok(())
}

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Piece>,
}

fn chat(base: &Url, bytes: &[u8], seen: &mut Seen) -> Result<(), serde_json::Error> {
    if bytes == b"[DONE]" {
        return Ok(());
    }
    let event: Completion = serde_json::from_slice(bytes)?;
    seen.name(event.model.as_deref());
    for choice in event.choices {
        seen.piece(choice.delta.unwrap_or_default().0);
    }
    if let Some(usage) = event.usage.filter(Value::is_object) {
        seen.count(openai_api::tokens(&usage, base));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Responded<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    delta: Option<Piece>,
    response: Option<Reply>,
    model: Option<String>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Reply {
    model: Option<String>,
    usage: Option<Value>,
}

fn responses(bytes: &[u8], seen: &mut Seen) -> Result<(), serde_json::Error> {
    let event: Responded<'_> = serde_json::from_slice(bytes)?;
    if event.kind.ends_with(".delta") {
        seen.piece(event.delta.unwrap_or_default().0);
    }
    let whole = Reply { model: event.model, usage: event.usage };
    for reply in event.response.into_iter().chain([whole]) {
        seen.name(reply.model.as_deref());
        if let Some(usage) = reply.usage.filter(Value::is_object) {
            seen.count(response_tokens(&usage));
        }
    }
    Ok(())
}

/// The tokens of a prompt are told with those from a cache, and those written with those of reasoning.
fn response_tokens(usage: &Value) -> Tokens {
    let cache_read = usage["input_tokens_details"]["cached_tokens"].as_u64();
    Tokens {
        input: usage["input_tokens"].as_u64().map(|all| all.saturating_sub(cache_read.unwrap_or(0))),
        output: usage["output_tokens"].as_u64(),
        cache_read,
        reasoning: usage["output_tokens_details"]["reasoning_tokens"].as_u64(),
        ..Tokens::default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    model_version: Option<String>,
    #[serde(default)]
    candidates: Vec<Candidate>,
    usage_metadata: Option<Value>,
}

#[derive(Deserialize)]
struct Candidate {
    content: Option<Piece>,
}

/// Reads an event, a whole answer, or a stream that is one array.
fn gemini(bytes: &[u8], seen: &mut Seen) -> Result<(), serde_json::Error> {
    let events = if bytes.first() == Some(&b'[') {
        serde_json::from_slice(bytes)?
    } else {
        vec![serde_json::from_slice::<Generated>(bytes)?]
    };
    for event in events {
        seen.name(event.model_version.as_deref());
        for candidate in event.candidates {
            seen.piece(candidate.content.unwrap_or_default().0);
        }
        if let Some(usage) = event.usage_metadata.filter(Value::is_object) {
            seen.count(gemini_api::tokens(&usage));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Line {
    model: Option<String>,
    message: Option<Piece>,
    response: Option<Piece>,
    #[serde(default)]
    done: bool,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

fn own(bytes: &[u8], seen: &mut Seen) -> Result<(), serde_json::Error> {
    let line: Line = serde_json::from_slice(bytes)?;
    seen.name(line.model.as_deref());
    if line.done {
        seen.count(Tokens { input: line.prompt_eval_count, output: line.eval_count, ..Tokens::default() });
        return Ok(());
    }
    for piece in [line.message, line.response].into_iter().flatten() {
        seen.piece(piece.0);
    }
    Ok(())
}
