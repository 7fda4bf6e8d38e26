//! The Anthropic Messages API.
//!
//! The usage of `message_start` counts what was read; that of `message_delta` is cumulative and replaces it.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use swarm_model::ToolName;
use url::Url;

use super::api::{Answer, Ask, Dialect, End, Question};
use crate::account::{ANTHROPIC, Provider};
use crate::http::versioned;
use crate::meter::Tokens;
use crate::prices::max_output;

/// The model for tasks that name none, where the list of models names no newer one of its family.
const DEFAULT_MODEL: &str = "claude-sonnet-5";
const DEFAULT_FAMILY: &str = "claude-sonnet-";
const API_VERSION: &str = "2023-06-01";
/// The API wants a bound on every reply. Above this one nobody reads on.
const LONGEST_REPLY: u64 = 32_000;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn tool(&self) -> &'static str {
        ToolName::ANTHROPIC_API
    }

    fn provider(&self) -> &'static Provider {
        &ANTHROPIC
    }

    /// The list begins with the newest.
    fn default_model(&self, _base: &Url, listed: &[String]) -> Option<String> {
        let newest = listed.iter().find(|name| name.starts_with(DEFAULT_FAMILY));
        Some(newest.or(listed.first()).map_or(DEFAULT_MODEL, String::as_str).to_owned())
    }

    fn headers(&self) -> HeaderMap {
        let version = (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION));
        [version].into_iter().collect()
    }

    fn question(&self, base: &Url, ask: &Ask<'_>) -> Question {
        let mut body = json!({
            "model": ask.model,
            "max_tokens": ask.bound.unwrap_or_else(|| max_output(ask.model).min(LONGEST_REPLY)),
            "messages": [{ "role": "user", "content": ask.prompt }],
            "stream": true,
        });
        if let Some(system) = ask.system {
            body["system"] = json!(system);
        }
        Question { url: versioned(base, "/v1", "/messages"), body }
    }

    fn read(&self, _base: &Url, event: &Value, answer: &mut Answer) {
        match event["type"].as_str().unwrap_or("") {
            "message_start" => {
                let message = &event["message"];
                answer.named(message["model"].as_str());
                // What is written is not counted yet: the one token here stands for all that come.
                answer.uses(Tokens { output: None, ..tokens(&message["usage"]) });
            }
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                let block = &event["content_block"];
                answer.call(block["id"].as_str(), block["name"].as_str().unwrap_or(""), block["input"].clone());
            }
            "content_block_delta" => {
                answer.text(event["delta"]["text"].as_str());
                answer.thinking(event["delta"]["thinking"].as_str());
            }
            "message_delta" => {
                answer.uses(tokens(&event["usage"]));
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    stop(reason, &event["delta"], answer);
                }
            }
            "message_stop" => answer.close(),
            _ => {}
        }
    }

    fn listing(&self, base: &Url) -> Url {
        let mut url = versioned(base, "/v1", "/models");
        url.query_pairs_mut().append_pair("limit", "1000");
        url
    }

    /// The names with their dates, and the same without: people use both.
    fn model_names(&self, list: &Value) -> Vec<String> {
        let names: Vec<&str> =
            list["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
        let mut all: Vec<String> = Vec::new();
        for name in names {
            for name in [Some(name), without_date(name)].into_iter().flatten() {
                if !all.iter().any(|known| known == name) {
                    all.push(name.to_owned());
                }
            }
        }
        all
    }
}

fn stop(reason: &str, delta: &Value, answer: &mut Answer) {
    // The answer is only whole with `message_stop`; until then its connection may be cut.
    match reason {
        "max_tokens" => answer.will_end(End::Cut("at the longest reply that was asked for")),
        "model_context_window_exceeded" => answer.will_end(End::Cut("because the model's context is full")),
        "refusal" => {
            let words = delta["stop_details"]["explanation"].as_str().unwrap_or("the provider's safety rules");
            answer.will_end(End::Refused(words.to_owned()));
        }
        _ => {}
    }
}

pub(crate) fn tokens(usage: &Value) -> Tokens {
    let count = |name: &str| usage[name].as_u64();
    Tokens {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens"),
        reasoning: None,
        cost_microusd: None,
    }
}

/// The name of a model without the day of its making.
fn without_date(name: &str) -> Option<&str> {
    let (family, date) = name.rsplit_once('-')?;
    (date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit())).then_some(family)
}
