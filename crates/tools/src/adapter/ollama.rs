//! An Ollama server over HTTP: one streamed chat a run.
//!
//! A failure can have status 200: an `error` line, or an end without `done: true`, is one. Closing the
//! connection stops the model, so that dropping the conversation is the cancel.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use swarm_model::time::{Clock, SystemClock};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, ToolName};

use super::{Adapter, Conversation, EventSink, Patience, Plan, RunRequest, Way, known_name, prompt_of};
use crate::account::{Account, KeyError, OLLAMA, Obstacle, TakenKey, take};
use crate::catalogue::{Listing, PROBE_TIMEOUT};
use crate::event::{Failure, Final, ToolEvent, head};
use crate::framer::{Framed, Framer, Overlong, lossy};
use crate::http;
use crate::meter::{Meter, Question, Seen, Tokens};
use crate::refusal::{Asked, MAX_BODY, Told};
use crate::run::Tail;
use crate::settings::ToolSettings;
use crate::variables::Variables;

const MAX_LINE: usize = 4 * 1024 * 1024;
/// A large model is read from the disk before its first word, and a busy server lets requests wait.
const PATIENCE: Patience =
    Patience { start: Some(Duration::from_mins(10)), silence: Some(Duration::from_mins(10)), silence_in_call: None };

/// The adapter for Ollama.
#[derive(Debug)]
pub(crate) struct Ollama {
    variables: Variables,
}

impl Ollama {
    pub(crate) fn new(variables: Variables) -> Self {
        Self { variables }
    }

    fn resolve(&self, settings: &ToolSettings) -> Result<Account, Obstacle> {
        Account::resolve(&OLLAMA, settings, &self.variables)
    }

    async fn look(&self, settings: &ToolSettings) -> (Option<String>, Vec<String>, ToolHealth) {
        let account = match self.resolve(settings) {
            Ok(account) => account,
            Err(obstacle) => return (None, Vec::new(), obstacle.into()),
        };
        match version_and_models(&account).await {
            Ok((version, models)) if models.is_empty() => {
                let fix = "Ollama has no model yet: get one with `ollama pull llama3.2`".to_owned();
                (version, models, ToolHealth::Missing { fix })
            }
            Ok((version, models)) => (version, models, ToolHealth::Ready),
            Err(_) => {
                let base = http::shown(&account.base);
                let fix =
                    format!("no Ollama server answers at {base}: start it with `ollama serve`, or set its address");
                (None, Vec::new(), ToolHealth::Missing { fix })
            }
        }
    }
}

#[async_trait]
impl Adapter for Ollama {
    fn name(&self) -> ToolName {
        known_name(ToolName::OLLAMA)
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let (version, models, health) = self.look(settings).await;
        ToolInfo { name: self.name(), version, health, models, max_concurrent: settings.max_concurrent, account: None }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let account = self.resolve(settings)?;
        let model = request.model.clone().or_else(|| settings.model.clone());
        // A server of one's own: what it answers costs nothing.
        let meter = Meter::of(&request.limits, &ToolSettings { free: Some(true), ..settings.clone() });
        Ok(Plan {
            tool: self.name(),
            version: None,
            model: model.clone(),
            patience: PATIENCE,
            meter: meter.clone(),
            way: Way::Talk(Box::new(Chat {
                account,
                meter,
                model,
                system: system.map(str::to_owned),
                prompt: prompt.to_owned(),
            })),
        })
    }

    fn account(&self, settings: &ToolSettings) -> Option<String> {
        self.resolve(settings).ok().map(|account| account.sentence())
    }

    /// A server by itself wants none; what stands before it may.
    async fn take_key(&self, key: &str, settings: &ToolSettings, check: bool) -> Result<TakenKey, KeyError> {
        let ask = check.then_some(async |account: Account| match version_and_models(&account).await {
            Ok((_, models)) => Listing::Models(models),
            Err(error) if error.is_status() => Listing::KeyRefused(http::broken(&error)),
            Err(error) => Listing::Unreachable(http::broken(&error)),
        });
        take(&OLLAMA, key, settings, &self.variables, ask).await
    }
}

async fn version_and_models(account: &Account) -> Result<(Option<String>, Vec<String>), reqwest::Error> {
    let client = http::client(&account.base)?;
    let get = async |path| {
        let request = client.get(http::endpoint(&account.base, path)).headers(headers(account));
        request.timeout(PROBE_TIMEOUT).send().await?.error_for_status()?.json::<Value>().await
    };
    let version = get("/api/version").await?;
    let tags = get("/api/tags").await?;
    Ok((version["version"].as_str().map(str::to_owned), model_names(&tags)))
}

/// A server by itself wants no key; what stands before it may.
fn headers(account: &Account) -> HeaderMap {
    account.header().into_iter().collect()
}

fn model_names(tags: &Value) -> Vec<String> {
    let models = tags["models"].as_array().into_iter().flatten();
    models.filter_map(|model| model["name"].as_str()).map(str::to_owned).collect()
}

/// One question and its streamed answer.
#[derive(Debug)]
struct Chat {
    account: Account,
    meter: Meter,
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
        let client = http::client(&self.account.base).map_err(|error| self.unreachable(&error))?;
        let model = match &self.model {
            Some(model) => model.clone(),
            None => self.first_model(&client).await?,
        };
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({ "role": "system", "content": system }));
        }
        messages.push(json!({ "role": "user", "content": self.prompt }));
        let prompt_bytes = (self.system.as_deref().unwrap_or("").len() + self.prompt.len()) as u64;
        let question = Question { model: &model, prompt_bytes, is_streamed: true, wished: None };
        let call = self.meter.ask(question).map_err(|denied| denied.failure())?;
        let mut asked = json!({ "model": model, "messages": messages, "stream": true });
        if let Some(bound) = call.bound() {
            asked["options"] = json!({ "num_predict": bound });
        }
        let response = client
            .post(http::endpoint(&self.account.base, "/api/chat"))
            .headers(headers(&self.account))
            .json(&asked)
            .send()
            .await
            .map_err(|error| {
                call.unreached();
                self.unreachable(&error)
            })?;
        call.answered(response.status().as_u16());
        if !response.status().is_success() {
            return Err(self.refusal(response, &model).await);
        }
        let mut answer = Answer::new(model);
        let mut framer = Framer::new(MAX_LINE, Overlong::Skip);
        let mut body = response.bytes_stream();
        let mut events = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| Failure::new(FailureClass::Network, http::broken(&error)))?;
            let mut failure = None;
            framer.push(&chunk, |framed| {
                if let Err(found) = answer.line(&framed, &mut events) {
                    failure.get_or_insert(found);
                }
            });
            let spent = call.note(std::mem::take(&mut answer.seen));
            for event in events.drain(..) {
                sink.emit(event).await;
            }
            spent.map_err(|denied| denied.failure())?;
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        call.finish();
        answer.end()
    }

    async fn first_model(&self, client: &reqwest::Client) -> Result<String, Failure> {
        let failed = |error: reqwest::Error| self.unreachable(&error);
        let request = client.get(http::endpoint(&self.account.base, "/api/tags")).headers(headers(&self.account));
        let response = request.send().await.map_err(failed)?;
        let tags: Value = response.json().await.map_err(failed)?;
        model_names(&tags).into_iter().next().ok_or_else(|| {
            Failure::new(FailureClass::ToolMissing, "Ollama has no model yet: get one with `ollama pull llama3.2`")
        })
    }

    async fn refusal(&self, response: reqwest::Response, model: &str) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = http::beginning(response, MAX_BODY).await;
        let told = Told::by_reply(&self.account, status, &headers, &body);
        // `ollama pull` mends it, or another machine.
        let unknown_model = FailureClass::ToolMissing;
        let asked = Asked { who: OLLAMA.title.to_owned(), account: &self.account, model: Some(model), unknown_model };
        told.failure(&asked, SystemClock.now()).0
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let (base, words) = (http::shown(&self.account.base), http::broken(error));
        Failure::new(FailureClass::Network, format!("no Ollama server answers at {base}: {words}"))
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
    /// What the meter has not been told yet.
    seen: Seen,
}

impl Answer {
    fn new(model: String) -> Self {
        Self { model, text: Tail::default(), n_calls: 0, named: false, done: false, seen: Seen::default() }
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
            events.push(ToolEvent::Model(model));
        }
        self.message(&piece["message"], events);
        if piece["done"] == true {
            self.done = true;
            self.seen.count(tokens(&piece));
            if piece["done_reason"] == "length" {
                events.push(ToolEvent::Notice("the answer was cut at the model's limit".to_owned()));
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &Value, events: &mut Vec<ToolEvent>) {
        if let Some(text) = message["thinking"].as_str().filter(|text| !text.is_empty()) {
            self.seen.piece(text.len() as u64);
            events.push(ToolEvent::Thinking(text.to_owned()));
        }
        if let Some(text) = message["content"].as_str().filter(|text| !text.is_empty()) {
            self.text.push(text);
            self.seen.piece(text.len() as u64);
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

/// The tokens of the last line. A prompt that the server still holds is not counted.
fn tokens(piece: &Value) -> Tokens {
    Tokens { input: piece["prompt_eval_count"].as_u64(), output: piece["eval_count"].as_u64(), ..Tokens::default() }
}

#[cfg(test)]
mod tests;
