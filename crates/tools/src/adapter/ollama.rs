//! An Ollama server over HTTP: one streamed chat a run.
//!
//! A failure can have status 200: an `error` line, or an end without `done: true`, is one. Closing the
//! connection stops the model, so that dropping the conversation is the cancel.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};
use swarm_model::task::{CostKind, Usage};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, ToolName};
use url::Url;

use super::{Adapter, Conversation, EventSink, Patience, Plan, RunRequest, Way, known_name, prompt_of};
use crate::event::{Failure, Final, ToolEvent, head};
use crate::framer::{Framed, Framer, Overlong, lossy};
use crate::http;
use crate::run::Tail;
use crate::settings::ToolSettings;

const DEFAULT_URL: &str = "http://127.0.0.1:11434";
/// How long the server may take to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_LINE: usize = 4 * 1024 * 1024;
/// A large model is read from the disk before its first word, and a busy server lets requests wait.
const PATIENCE: Patience =
    Patience { start: Some(Duration::from_mins(10)), silence: Some(Duration::from_mins(10)), silence_in_call: None };

/// The adapter for Ollama.
#[derive(Debug)]
pub(crate) struct Ollama;

#[async_trait]
impl Adapter for Ollama {
    fn name(&self) -> ToolName {
        known_name(ToolName::OLLAMA)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let (version, models, health) = match look(settings).await {
            Ok((version, models)) if models.is_empty() => {
                let fix = "Ollama has no model yet: get one with `ollama pull llama3.2`".to_owned();
                (version, models, ToolHealth::Missing { fix })
            }
            Ok((version, models)) => (version, models, ToolHealth::Ready),
            Err(fix) => (None, Vec::new(), ToolHealth::Missing { fix }),
        };
        ToolInfo { name: self.name(), version, health, models, max_concurrent: settings.max_concurrent, account: None }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let base = base_url(settings).map_err(|fix| RefusalReason::ToolMissing { fix })?;
        let model = request.model.clone().or_else(|| settings.model.clone());
        Ok(Plan {
            tool: self.name(),
            version: None,
            model: model.clone(),
            patience: PATIENCE,
            way: Way::Talk(Box::new(Chat {
                base,
                model,
                system: system.map(str::to_owned),
                prompt: prompt.to_owned(),
            })),
        })
    }
}

/// The address of the server; its path, if it has one, is kept.
fn base_url(settings: &ToolSettings) -> Result<Url, String> {
    let text = settings.url.as_deref().unwrap_or(DEFAULT_URL);
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(format!("\"{text}\" is not the address of an Ollama server, such as {DEFAULT_URL}")),
    }
}

fn endpoint(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

/// Version and models of the server, or what the person can do.
async fn look(settings: &ToolSettings) -> Result<(Option<String>, Vec<String>), String> {
    let base = base_url(settings)?;
    let absent = |_| format!("no Ollama server answers at {base}: start it with `ollama serve`, or set its address");
    let client = http::client(&base).map_err(absent)?;
    let get = async |path| {
        let response = client.get(endpoint(&base, path)).timeout(PROBE_TIMEOUT).send().await?;
        response.error_for_status()?.json::<Value>().await
    };
    let version = get("/api/version").await.map_err(absent)?;
    let tags = get("/api/tags").await.map_err(absent)?;
    Ok((version["version"].as_str().map(str::to_owned), model_names(&tags)))
}

fn model_names(tags: &Value) -> Vec<String> {
    let models = tags["models"].as_array().into_iter().flatten();
    models.filter_map(|model| model["name"].as_str()).map(str::to_owned).collect()
}

/// One question and its streamed answer.
#[derive(Debug)]
struct Chat {
    base: Url,
    model: Option<String>,
    system: Option<String>,
    prompt: String,
}

#[async_trait]
impl Conversation for Chat {
    async fn hold(self: Box<Self>, sink: EventSink) -> Final {
        match self.ask(&sink).await {
            Ok(end) => end,
            Err(failure) => Final::failed(failure),
        }
    }
}

impl Chat {
    async fn ask(&self, sink: &EventSink) -> Result<Final, Failure> {
        let client = http::client(&self.base).map_err(|error| unreachable_server(&self.base, &error))?;
        let model = match &self.model {
            Some(model) => model.clone(),
            None => self.first_model(&client).await?,
        };
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({ "role": "system", "content": system }));
        }
        messages.push(json!({ "role": "user", "content": self.prompt }));
        let response = client
            .post(endpoint(&self.base, "/api/chat"))
            .json(&json!({ "model": model, "messages": messages, "stream": true }))
            .send()
            .await
            .map_err(|error| unreachable_server(&self.base, &error))?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = response.bytes().await.unwrap_or_default();
            return Err(of_status(status, &error_text(&body)));
        }
        let mut answer = Answer::new(model);
        let mut framer = Framer::new(MAX_LINE, Overlong::Skip);
        let mut body = response.bytes_stream();
        let mut events = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| Failure::new(FailureClass::Network, broken(&error)))?;
            let mut failure = None;
            framer.push(&chunk, |framed| {
                if let Err(found) = answer.line(&framed, &mut events) {
                    failure.get_or_insert(found);
                }
            });
            for event in events.drain(..) {
                sink.emit(event).await;
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        answer.end()
    }

    async fn first_model(&self, client: &reqwest::Client) -> Result<String, Failure> {
        let failed = |error: reqwest::Error| unreachable_server(&self.base, &error);
        let response = client.get(endpoint(&self.base, "/api/tags")).send().await.map_err(failed)?;
        let tags: Value = response.json().await.map_err(failed)?;
        model_names(&tags).into_iter().next().ok_or_else(|| {
            Failure::new(FailureClass::ToolMissing, "Ollama has no model yet: get one with `ollama pull llama3.2`")
        })
    }
}

/// The answer as far as it has come.
#[derive(Debug)]
struct Answer {
    model: String,
    text: Tail,
    n_calls: usize,
    named: bool,
    done: bool,
}

impl Answer {
    fn new(model: String) -> Self {
        Self { model, text: Tail::default(), n_calls: 0, named: false, done: false }
    }

    /// Takes a line of the stream.
    fn line(&mut self, framed: &Framed<'_>, events: &mut Vec<ToolEvent>) -> Result<(), Failure> {
        let line = match framed {
            Framed::Line(line) if line.trim_ascii().is_empty() => return Ok(()),
            Framed::Line(line) => *line,
            Framed::Skipped(n) => {
                return Err(Failure::new(FailureClass::Server, format!("Ollama sent a line of {n} bytes")));
            }
        };
        let Ok(piece) = serde_json::from_slice::<Value>(line) else {
            let shown = lossy(line);
            return Err(Failure::new(FailureClass::Server, format!("Ollama sent no JSON: {}", head(&shown, 200))));
        };
        if let Some(error) = piece["error"].as_str() {
            return Err(Failure::new(FailureClass::Server, error));
        }
        if !self.named {
            self.named = true;
            let model = piece["model"].as_str().unwrap_or(&self.model).to_owned();
            events.push(ToolEvent::Notice(format!("{model} answers")));
        }
        self.message(&piece["message"], events);
        if piece["done"] == true {
            self.done = true;
            events.push(ToolEvent::Usage(Usage {
                input_tokens: piece["prompt_eval_count"].as_u64(),
                output_tokens: piece["eval_count"].as_u64(),
                cost_kind: CostKind::None,
                ..Usage::default()
            }));
            if piece["done_reason"] == "length" {
                events.push(ToolEvent::Notice("the answer was cut at the model's limit".to_owned()));
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &Value, events: &mut Vec<ToolEvent>) {
        if let Some(text) = message["thinking"].as_str().filter(|text| !text.is_empty()) {
            events.push(ToolEvent::Thinking(text.to_owned()));
        }
        if let Some(text) = message["content"].as_str().filter(|text| !text.is_empty()) {
            self.text.push(text);
            events.push(ToolEvent::Text(text.to_owned()));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.n_calls += 1;
            let id = call["id"].as_str().map_or_else(|| format!("call-{}", self.n_calls), str::to_owned);
            let name = call["function"]["name"].as_str().unwrap_or("").to_owned();
            events.push(ToolEvent::ToolCall { id, name, input: call["function"]["arguments"].clone() });
        }
    }

    /// The end of the stream.
    fn end(self) -> Result<Final, Failure> {
        let text = self.text.as_str().to_owned();
        if !self.done {
            return Err(Failure::new(FailureClass::Network, "the connection ended before the answer did"));
        }
        if text.trim().is_empty() && self.n_calls == 0 {
            return Err(Failure::new(FailureClass::EmptyOutput, format!("{} gave no answer", self.model)));
        }
        Ok(Final { text, turns: Some(1), ..Final::default() })
    }
}

fn error_text(body: &[u8]) -> String {
    let told = serde_json::from_slice::<Value>(body).ok().and_then(|body| body["error"].as_str().map(str::to_owned));
    told.unwrap_or_else(|| head(&lossy(body), 500).to_owned())
}

fn of_status(status: u16, words: &str) -> Failure {
    let lower = words.to_lowercase();
    let class = match status {
        401 | 403 => FailureClass::Auth,
        404 => FailureClass::ToolMissing,
        429 => FailureClass::RateLimited,
        400 if lower.contains("context") || lower.contains("too long") => FailureClass::ContextOverflow,
        400..=499 => FailureClass::Refused,
        _ => FailureClass::Server,
    };
    Failure::new(class, format!("Ollama answered {status}: {words}"))
}

fn unreachable_server(base: &Url, error: &reqwest::Error) -> Failure {
    Failure::new(FailureClass::Network, format!("no Ollama server answers at {base}: {}", broken(error)))
}

/// The innermost cause, which is the one that helps.
fn broken(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
