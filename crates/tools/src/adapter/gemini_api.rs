//! The Gemini API.
//!
//! Asked for without `alt=sse` it streams one JSON array. Every chunk counts the tokens so far; thoughts are billed
//! as output, and a part may hold nothing but a signature.

use serde_json::{Value, json};
use swarm_model::ToolName;
use url::Url;

use super::api::{Answer, Ask, Dialect, End, Question};
use crate::account::{GEMINI, Provider};
use crate::http::versioned;
use crate::meter::Tokens;

/// The model for tasks that name none: Google's own name for the newest of this family.
const DEFAULT_MODEL: &str = "gemini-flash-latest";
const VERSION: &str = "/v1beta";
const PREFIX: &str = "models/";
/// The way to ask a model, which a model must offer.
const METHOD: &str = "generateContent";

/// The dialect.
#[derive(Debug)]
pub(crate) struct Gemini;

impl Dialect for Gemini {
    fn tool(&self) -> &'static str {
        ToolName::GEMINI_API
    }

    fn provider(&self) -> &'static Provider {
        &GEMINI
    }

    fn default_model(&self, _base: &Url, listed: &[String]) -> Option<String> {
        let is_there = listed.is_empty() || listed.iter().any(|name| name == DEFAULT_MODEL);
        let other = listed.first().filter(|_| !is_there);
        Some(other.map_or(DEFAULT_MODEL, String::as_str).to_owned())
    }

    fn question(&self, base: &Url, ask: &Ask<'_>) -> Question {
        let mut url = versioned(base, VERSION, "/models");
        let model = ask.model.strip_prefix(PREFIX).unwrap_or(ask.model);
        if let Ok(mut segments) = url.path_segments_mut() {
            // Whatever a name holds, it stays one part of the path.
            segments.push(&format!("{model}:streamGenerateContent"));
        }
        url.query_pairs_mut().append_pair("alt", "sse");
        let mut body = json!({ "contents": [{ "role": "user", "parts": [{ "text": ask.prompt }] }] });
        if let Some(system) = ask.system {
            body["systemInstruction"] = json!({ "parts": [{ "text": system }] });
        }
        if let Some(bound) = ask.bound {
            body["generationConfig"] = json!({ "maxOutputTokens": bound });
        }
        Question { url, body }
    }

    fn read(&self, _base: &Url, event: &Value, answer: &mut Answer) {
        answer.named(event["modelVersion"].as_str());
        if event["usageMetadata"].is_object() {
            answer.uses(tokens(&event["usageMetadata"]));
        }
        if let Some(reason) = event["promptFeedback"]["blockReason"].as_str() {
            let words = event["promptFeedback"]["blockReasonMessage"].as_str();
            answer.ends(End::Refused(declined("the prompt was blocked", reason, words)));
        }
        let candidate = &event["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let text = part["text"].as_str();
            if part["thought"] == true {
                answer.thinking(text);
            } else {
                answer.text(text);
            }
            if let Some(name) = part["functionCall"]["name"].as_str() {
                answer.call(part["functionCall"]["id"].as_str(), name, part["functionCall"]["args"].clone());
            }
        }
        match candidate["finishReason"].as_str() {
            None | Some("" | "FINISH_REASON_UNSPECIFIED") => {}
            Some("STOP") => answer.ends(End::Whole),
            Some("MAX_TOKENS") => answer.ends(End::Cut("at the longest reply")),
            Some(reason) => {
                let words = candidate["finishMessage"].as_str();
                answer.ends(End::Refused(declined("the answer was stopped", reason, words)));
            }
        }
    }

    fn listing(&self, base: &Url) -> Url {
        let mut url = versioned(base, VERSION, "/models");
        url.query_pairs_mut().append_pair("pageSize", "1000");
        url
    }

    fn model_names(&self, list: &Value) -> Vec<String> {
        let models = list["models"].as_array().into_iter().flatten();
        let answers = |model: &&Value| {
            let mut methods = model["supportedGenerationMethods"].as_array().into_iter().flatten();
            methods.any(|method| method == METHOD)
        };
        let names = models.filter(answers).filter_map(|model| model["name"].as_str());
        names.map(|name| name.strip_prefix(PREFIX).unwrap_or(name).to_owned()).collect()
    }
}

/// Why, in the provider's words where it has some.
fn declined(what: &str, reason: &str, words: Option<&str>) -> String {
    words.map_or_else(|| format!("{what} ({reason})"), |words| format!("{what} ({reason}): {words}"))
}

/// The tokens of a prompt are told with those from a cache; what the model thought and what it said are billed alike.
pub(crate) fn tokens(usage: &Value) -> Tokens {
    let count = |name: &str| usage[name].as_u64();
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    let cache_read = count("cachedContentTokenCount");
    let read = sum(count("promptTokenCount"), count("toolUsePromptTokenCount"));
    Tokens {
        input: read.map(|all| all.saturating_sub(cache_read.unwrap_or(0))),
        output: sum(count("candidatesTokenCount"), count("thoughtsTokenCount")),
        cache_read,
        cache_write: None,
        reasoning: count("thoughtsTokenCount"),
        cost_microusd: None,
    }
}
