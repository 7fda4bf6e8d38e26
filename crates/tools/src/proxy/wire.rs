//! The languages in which tools ask models, as far as the proxy must understand them: which request is a question,
//! whom it asks, and where its answer is bounded.

use std::borrow::Cow;

use hyper::Method;
use serde::Deserialize;

use super::splice::{Names, set};
use super::weigh::Prompt;
use crate::adapter::openai_api::USAGE;

/// The language of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Anthropic's messages.
    Messages,
    /// OpenAI's chat completions, and everybody's who speaks like it.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Google's generated content.
    Gemini,
    /// Ollama's own.
    Ollama,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A question to a model.
    Question(Wire),
    /// Something that costs nothing: a list of models, a count of tokens.
    Free,
    /// Something else, which nobody would count.
    Other,
}

impl Kind {
    /// Tells by the method and the path behind the provider's address.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
        if matches!(*method, Method::GET | Method::HEAD) {
            let is_list = path.is_empty() || ends(&["/models", "/api/tags", "/api/version", "/api/ps"]);
            return if is_list || path.contains("/models/") { Self::Free } else { Self::Other };
        }
        if *method != Method::POST {
            return Self::Other;
        }
        match path {
            _ if ends(&["/messages"]) => Self::Question(Wire::Messages),
            _ if ends(&["/chat/completions"]) => Self::Question(Wire::Chat),
            _ if ends(&["/responses", "/responses/compact"]) => Self::Question(Wire::Responses),
            _ if ends(&[":generateContent", ":streamGenerateContent"]) => Self::Question(Wire::Gemini),
            _ if ends(&["/api/chat", "/api/generate"]) => Self::Question(Wire::Ollama),
            _ if ends(&["/messages/count_tokens", ":countTokens", "/api/show"]) => Self::Free,
            _ => Self::Other,
        }
    }
}

/// What is read of a question's body. A name that stands there twice is refused: nobody knows which one counts.
#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    /// Those that a router may ask in its place.
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default, alias = "generation_config", rename = "generationConfig")]
    generation: Option<Generation>,
    #[serde(default)]
    options: Option<Options>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Deserialize)]
struct Generation {
    #[serde(default, alias = "max_output_tokens", rename = "maxOutputTokens")]
    most: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Options {
    /// Below zero it is without a bound.
    #[serde(default)]
    num_predict: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// A question, understood.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) wire: Wire,
    pub(super) model: String,
    /// Models that may answer in its place.
    pub(super) others: Vec<String>,
    pub(super) is_streamed: bool,
    pub(super) prompt_bytes: u64,
    /// The bounds on the reply that it sets: where, and how much.
    bounds: Vec<(&'static [Names<'static>], u64)>,
    /// Whether it must be asked to tell what was used.
    wants_usage: bool,
}

const MAX_TOKENS: &[Names<'_>] = &[&["max_tokens"]];
const MAX_COMPLETION_TOKENS: &[Names<'_>] = &[&["max_completion_tokens"]];
const MAX_OUTPUT_TOKENS: &[Names<'_>] = &[&["max_output_tokens"]];
const GENERATION: &[Names<'_>] =
    &[&["generationConfig", "generation_config"], &["maxOutputTokens", "max_output_tokens"]];
const NUM_PREDICT: &[Names<'_>] = &[&["options"], &["num_predict"]];
const INCLUDE_USAGE: &[Names<'_>] = &[&[USAGE], &["include_usage"]];

impl Asked {
    /// Reads a question; `path` names the model of Google's.
    pub(super) fn read(wire: Wire, path: &str, body: &str) -> Result<Self, serde_json::Error> {
        if !body.trim_ascii_start().starts_with('{') {
            return Err(serde::de::Error::custom("a question is an object"));
        }
        let read: Body<'_> = serde_json::from_str(body)?;
        let prompt: Prompt = serde_json::from_str(body)?;
        let in_path = || path.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or("");
        let model = match wire {
            Wire::Gemini => decoded(in_path()),
            _ => read.model.as_deref().unwrap_or("").to_owned(),
        };
        let is_streamed = match wire {
            Wire::Gemini => path.ends_with(":streamGenerateContent"),
            // Ollama streams unless it is told not to.
            Wire::Ollama => read.stream.unwrap_or(true),
            Wire::Messages | Wire::Chat | Wire::Responses => read.stream == Some(true),
        };
        let predicted = read.options.and_then(|options| options.num_predict);
        let predicted = predicted.map(|most| u64::try_from(most).unwrap_or(u64::MAX));
        let generated = read.generation.and_then(|generation| generation.most);
        let bounds = match wire {
            Wire::Messages => vec![(MAX_TOKENS, read.max_tokens)],
            Wire::Chat => vec![(MAX_TOKENS, read.max_tokens), (MAX_COMPLETION_TOKENS, read.max_completion_tokens)],
            Wire::Responses => vec![(MAX_OUTPUT_TOKENS, read.max_output_tokens)],
            Wire::Gemini => vec![(GENERATION, generated)],
            Wire::Ollama => vec![(NUM_PREDICT, predicted)],
        };
        let asks = read.stream_options.and_then(|options| options.include_usage) == Some(true);
        Ok(Self {
            wire,
            model,
            others: read.models,
            is_streamed,
            prompt_bytes: prompt.0,
            bounds: bounds.into_iter().filter_map(|(place, most)| Some((place, most?))).collect(),
            wants_usage: wire == Wire::Chat && is_streamed && !asks,
        })
    }

    /// How many tokens the reply may have, as it was asked.
    pub(super) fn wished(&self) -> Option<u64> {
        self.bounds.iter().map(|(_, most)| *most).min()
    }

    /// The body with no more than `left` tokens for the reply, where it asks for more, and with `bound` where it asks
    /// for no bound at all.
    pub(super) fn bounded(&self, body: &str, left: Option<u64>, bound: Option<u64>, is_openai: bool) -> Option<String> {
        let left = left?;
        let mut changed = None;
        for (place, _) in self.bounds.iter().filter(|(_, most)| *most > left) {
            changed = set(changed.as_deref().unwrap_or(body), place, &left.to_string());
        }
        // An answer of that length is the model's longest anyway.
        let missing = bound.filter(|bound| self.bounds.is_empty() && *bound == left);
        if let Some(bound) = missing {
            let place = match self.wire {
                Wire::Messages => MAX_TOKENS,
                Wire::Chat if is_openai => MAX_COMPLETION_TOKENS,
                Wire::Chat => MAX_TOKENS,
                Wire::Responses => MAX_OUTPUT_TOKENS,
                Wire::Gemini => GENERATION,
                Wire::Ollama => NUM_PREDICT,
            };
            changed = set(body, place, &bound.to_string());
        }
        changed
    }

    /// The body with the wish to be told what was used, where it lacks that.
    pub(super) fn with_usage(&self, body: &str) -> Option<String> {
        if self.wants_usage { set(body, INCLUDE_USAGE, "true") } else { None }
    }
}

/// A part of a path without its escapes.
fn decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map_or_else(|| part.to_owned(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_counted_or_costs_nothing_passes() {
        let kind = |method: Method, path: &str| Kind::of(&method, path);
        for (path, wire) in [
            ("/v1/messages", Wire::Messages),
            ("/x/v1/chat/completions", Wire::Chat),
            ("/v1/responses", Wire::Responses),
            ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", Wire::Gemini),
            ("/api/chat", Wire::Ollama),
        ] {
            assert_eq!(kind(Method::POST, path), Kind::Question(wire), "{path}");
            assert_ne!(kind(Method::DELETE, path), Kind::Question(wire), "{path}");
        }
        for (method, path) in [
            (Method::HEAD, "/"),
            (Method::GET, "/v1/models"),
            (Method::GET, "/v1beta/models/x"),
            (Method::POST, "/v1/messages/count_tokens"),
            (Method::POST, "/v1beta/models/x:countTokens"),
        ] {
            assert_eq!(kind(method, path), Kind::Free, "{path}");
        }
        for (method, path) in [
            (Method::POST, "/v1/messages/batches"),
            (Method::POST, "/v1/images/generations"),
            (Method::GET, "/v1/files/abc/content"),
            (Method::DELETE, "/v1/models/x"),
            (Method::GET, "/v1/organizations/api_keys"),
        ] {
            assert_eq!(kind(method, path), Kind::Other, "{path}");
        }
    }

    fn bounded(wire: Wire, body: &str, left: u64) -> Option<String> {
        Asked::read(wire, "/v1beta/models/m:generateContent", body).unwrap().bounded(
            body,
            Some(left),
            Some(left),
            false,
        )
    }

    #[test]
    fn a_reply_is_bounded_where_it_asks_for_more() {
        let check = |wire, body: &str, expected: Option<&str>| {
            assert_eq!(bounded(wire, body, 50).as_deref(), expected, "{wire:?} {body}");
        };
        check(Wire::Messages, r#"{"model":"m","max_tokens":100}"#, Some(r#"{"model":"m","max_tokens":50}"#));
        check(Wire::Messages, r#"{"model":"m","max_tokens":10}"#, None);
        check(Wire::Chat, r#"{"model":"m"}"#, Some(r#"{"max_tokens":50,"model":"m"}"#));
        check(Wire::Chat, r#"{"max_completion_tokens":99}"#, Some(r#"{"max_completion_tokens":50}"#));
        check(Wire::Responses, r#"{"model":"m"}"#, Some(r#"{"max_output_tokens":50,"model":"m"}"#));
        check(Wire::Gemini, "{}", Some(r#"{"generationConfig":{"maxOutputTokens":50}}"#));
        check(
            Wire::Gemini,
            r#"{"generation_config":{"max_output_tokens":99}}"#,
            Some(r#"{"generation_config":{"max_output_tokens":50}}"#),
        );
        check(Wire::Ollama, r#"{"options":{"num_predict":-1}}"#, Some(r#"{"options":{"num_predict":50}}"#));
    }

    #[test]
    fn what_counts_twice_is_not_understood() {
        for body in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"max_tokens":1,"max\u005ftokens":2}"#,
            r#"{"generationConfig":{},"generation_config":{"maxOutputTokens":9}}"#,
            "[]",
            "no json",
            r#"{"model":7}"#,
        ] {
            assert!(Asked::read(Wire::Messages, "", body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_question_tells_whom_it_asks() {
        let read = |wire, path: &str, body: &str| Asked::read(wire, path, body).unwrap();
        let asked = read(Wire::Gemini, "/v1beta/models/gemini%2D2.5:streamGenerateContent", "{}");
        assert_eq!((asked.model.as_str(), asked.is_streamed), ("gemini-2.5", true));
        let asked = read(Wire::Chat, "/v1/chat/completions", r#"{"model":"m","stream":true}"#);
        assert_eq!(
            asked.with_usage(r#"{"stream":true}"#).as_deref(),
            Some(r#"{"stream_options":{"include_usage":true},"stream":true}"#)
        );
        assert!(read(Wire::Ollama, "/api/chat", "{}").is_streamed);
    }
}
