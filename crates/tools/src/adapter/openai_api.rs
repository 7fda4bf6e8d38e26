//! The chat completions of OpenAI, and of everything that speaks them: OpenRouter, LM Studio, vLLM, llama.cpp and
//! many more.
//!
//! They agree on the text and on little else. Reasoning has two names; the usage is only told when it is asked for,
//! and some servers refuse to be asked; the last event may be missing behind the reason why the answer ends.

use serde_json::{Value, json};
use swarm_model::ToolName;
use url::Url;

use super::api::{Answer, Ask, Dialect, End, Question};
use crate::account::{OPENAI, Provider};
use crate::http::{endpoint, versioned};
use crate::meter::Tokens;
use crate::refusal::Told;

/// The model of OpenAI for tasks that name none. Another server's first model is taken.
const DEFAULT_MODEL: &str = "gpt-5.4-mini";
const OPENAI_HOST: &str = "api.openai.com";
/// Whose reports of cost are known to be US dollars.
const OPENROUTER_HOST: &str = "openrouter.ai";
/// The bound on a reply as OpenAI names it now, and as everybody else does.
const BOUNDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];
pub(crate) const USAGE: &str = "stream_options";
/// What in a name tells that the model of OpenAI answers no prompts.
const NO_CHAT: [&str; 14] = [
    "embedding",
    "whisper",
    "tts",
    "dall-e",
    "moderation",
    "babbage",
    "davinci",
    "image",
    "realtime",
    "audio",
    "transcribe",
    "sora",
    "instruct",
    "codex",
];

/// The dialect.
#[derive(Debug)]
pub(crate) struct OpenAi;

impl Dialect for OpenAi {
    fn tool(&self) -> &'static str {
        ToolName::OPENAI_API
    }

    fn provider(&self) -> &'static Provider {
        &OPENAI
    }

    fn default_model(&self, base: &Url, listed: &[String]) -> Option<String> {
        if base.host_str() == Some(OPENAI_HOST) { Some(DEFAULT_MODEL.to_owned()) } else { listed.first().cloned() }
    }

    fn question(&self, base: &Url, ask: &Ask<'_>) -> Question {
        let system = ask.system.map(|system| json!({ "role": "system", "content": system }));
        let prompt = json!({ "role": "user", "content": ask.prompt });
        let mut body = json!({
            "model": ask.model,
            "messages": system.into_iter().chain([prompt]).collect::<Vec<_>>(),
            "stream": true,
            USAGE: { "include_usage": true },
        });
        if let Some(bound) = ask.bound {
            let [ours, theirs] = BOUNDS;
            body[if base.host_str() == Some(OPENAI_HOST) { ours } else { theirs }] = json!(bound);
        }
        Question { url: below(base, "/chat/completions"), body }
    }

    fn yields(&self, body: &mut Value, told: &Told) -> bool {
        let Some(fields) = body.as_object_mut() else { return false };
        if told.names_option(USAGE) && fields.remove(USAGE).is_some() {
            return true;
        }
        // `max_tokens` is refused by naming the other one, and the other way round.
        let [new, old] = BOUNDS;
        if fields.contains_key(old) && told.names_option(new) {
            let bound = fields.remove(old);
            fields.extend(bound.map(|bound| (new.to_owned(), bound)));
            return true;
        }
        false
    }

    fn read(&self, base: &Url, event: &Value, answer: &mut Answer) {
        answer.named(event["model"].as_str());
        if event["usage"].is_object() {
            answer.uses(tokens(&event["usage"], base));
        }
        // Only one answer was asked for.
        let choice = &event["choices"][0];
        let delta = &choice["delta"];
        answer.thinking(delta["reasoning_content"].as_str().or_else(|| delta["reasoning"].as_str()));
        answer.text(delta["content"].as_str());
        for part in delta["content"].as_array().into_iter().flatten() {
            answer.text(part["text"].as_str());
            answer.thinking(part["thinking"][0]["text"].as_str());
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if let Some(name) = call["function"]["name"].as_str() {
                answer.call(call["id"].as_str(), name, call["function"]["arguments"].clone());
            }
        }
        if let Some(refusal) = delta["refusal"].as_str().filter(|words| !words.is_empty()) {
            answer.refuses(refusal);
        }
        match choice["finish_reason"].as_str() {
            Some("length") => answer.ends(End::Cut("at the longest reply, or because the model's context is full")),
            Some("content_filter") => answer.ends(End::Refused("the provider's content filter".to_owned())),
            Some(_) => answer.ends(End::Whole),
            None => {}
        }
    }

    fn listing(&self, base: &Url) -> Url {
        below(base, "/models")
    }

    fn model_names(&self, list: &Value) -> Vec<String> {
        let models = list["data"].as_array().into_iter().flatten();
        let is_openais =
            |model: &Value| matches!(model["owned_by"].as_str(), Some("openai" | "system" | "openai-internal"));
        let answers = |model: &&Value| {
            let name = model["id"].as_str().unwrap_or("");
            !is_openais(model) || !NO_CHAT.iter().any(|part| name.contains(part))
        };
        models.filter(answers).filter_map(|model| model["id"].as_str()).map(str::to_owned).collect()
    }
}

/// People give the address with its version. Where it has no path at all, they forgot it.
fn below(base: &Url, path: &str) -> Url {
    if base.path().trim_matches('/').is_empty() { versioned(base, "/v1", path) } else { endpoint(base, path) }
}

/// The tokens of a prompt are told with those from a cache.
pub(crate) fn tokens(usage: &Value, base: &Url) -> Tokens {
    let is_router = base.host_str() == Some(OPENROUTER_HOST);
    let cache_read = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
    let cost = usage["cost"].as_f64().filter(|cost| is_router && (0.0..1e6).contains(cost));
    Tokens {
        input: usage["prompt_tokens"].as_u64().map(|all| all.saturating_sub(cache_read.unwrap_or(0))),
        output: usage["completion_tokens"].as_u64(),
        cache_read,
        cache_write: None,
        reasoning: usage["completion_tokens_details"]["reasoning_tokens"].as_u64(),
        cost_microusd: cost.map(|dollars| (dollars * 1e6).round() as u64),
    }
}
