//! What the providers' HTTP APIs have in common: one prompt, one streamed answer.
//!
//! A [`Dialect`] says what a question looks like and what the events of an answer mean; everything else is here, once:
//! key and address, bounds on the reply, refusals, the stream, its end. A failure can have status 200: an error event,
//! or a stream without its last event, is one. Closing the connection stops the model, so that dropping the
//! conversation is the cancel.

mod answer;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response};
use serde_json::Value;
use swarm_model::task::Limits;
use swarm_model::time::{Clock, SystemClock};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, ToolName};
use url::Url;

pub(crate) use self::answer::{Answer, End, Tokens};
use super::{Adapter, Conversation, EventSink, Patience, Plan, RunRequest, Way, known_name, prompt_of};
use crate::account::{Account, Obstacle, Provider};
use crate::catalogue::{Catalogue, Listing};
use crate::event::{Failure, Final, ToolEvent, head};
use crate::framer::lossy;
use crate::http;
use crate::prices::{max_output, price_of};
use crate::refusal::{Asked, MAX_BODY, Told};
use crate::settings::ToolSettings;
use crate::sse::{Events, TooLong};
use crate::variables::Variables;

/// A model may think for minutes before its first word, and says nothing while it does.
const PATIENCE: Patience =
    Patience { start: Some(Duration::from_mins(15)), silence: Some(Duration::from_mins(15)), silence_in_call: None };
/// How long the connection may stay open behind the last event of an answer.
const AFTER_END: Duration = Duration::from_secs(10);
/// The least bytes of a prompt that make a token; a guess that is never too high.
const BYTES_PER_TOKEN: u64 = 6;

/// A bound on a reply that bounds none.
const NO_BOUND: u64 = 128_000;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) model: &'a str,
    pub(crate) system: Option<&'a str>,
    pub(crate) prompt: &'a str,
    /// How many tokens the reply may have, where the run is bounded.
    pub(crate) bound: Option<u64>,
}

/// A question as it is sent.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) url: Url,
    pub(crate) body: Value,
}

/// What differs between the providers' APIs.
pub(crate) trait Dialect: Send + Sync + std::fmt::Debug {
    /// The tool that speaks it.
    fn tool(&self) -> &'static str;

    /// Where its key and address are looked for.
    fn provider(&self) -> &'static Provider;

    /// The model for tasks that name none, by the names of those that are there, as far as these are known. None
    /// where only the server knows: then it is the first one.
    fn default_model(&self, base: &Url, listed: &[String]) -> Option<String>;

    /// Headers of every request.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// How something is asked.
    fn question(&self, base: &Url, ask: &Ask<'_>) -> Question;

    /// Takes back an option that the server refused; tells whether to ask again.
    fn yields(&self, _body: &mut Value, _told: &Told) -> bool {
        false
    }

    /// Takes an event of the answer.
    fn read(&self, base: &Url, event: &Value, answer: &mut Answer);

    /// Where the models are listed.
    fn listing(&self, base: &Url) -> Url;

    /// The names in that list that can be asked for.
    fn model_names(&self, list: &Value) -> Vec<String>;
}

/// The tool that speaks a dialect.
#[derive(Debug)]
pub(crate) struct Api {
    dialect: &'static dyn Dialect,
    variables: Variables,
    catalogue: Catalogue,
}

impl Api {
    pub(crate) fn new(dialect: &'static dyn Dialect, variables: Variables) -> Self {
        Self { dialect, variables, catalogue: Catalogue::default() }
    }

    fn resolve(&self, settings: &ToolSettings) -> Result<Account, Obstacle> {
        let provider = self.dialect.provider();
        Account::resolve(provider, settings, &self.variables)?.with_key_for(provider, self.dialect.tool())
    }

    async fn look(&self, settings: &ToolSettings) -> (Vec<String>, ToolHealth) {
        let account = match self.resolve(settings) {
            Ok(account) => account,
            Err(obstacle) => return (Vec::new(), obstacle.into()),
        };
        let listing = self.catalogue.of(&account, || list(self.dialect, &account)).await;
        let health = match &listing {
            Listing::Models(_) => ToolHealth::Ready,
            Listing::KeyRefused(words) => ToolHealth::NeedsLogin {
                fix: format!("{words}: set another key with `garageswarm tool login {}`", self.dialect.tool()),
            },
            Listing::Unreachable(words) => ToolHealth::Missing {
                fix: format!(
                    "nobody answers at {} ({words}): start the server there, look after the network, or set another url",
                    http::shown(&account.base)
                ),
            },
        };
        (listing.models(), health)
    }
}

#[async_trait]
impl Adapter for Api {
    fn name(&self) -> ToolName {
        known_name(self.dialect.tool())
    }

    async fn detect(&self, settings: &ToolSettings) -> ToolInfo {
        let (models, health) = self.look(settings).await;
        ToolInfo { name: self.name(), version: None, health, models, max_concurrent: settings.max_concurrent }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let account = self.resolve(settings)?;
        let wished = request.model.clone().or_else(|| settings.model.clone());
        let model = wished.or_else(|| {
            let listed = self.catalogue.known(&account);
            self.dialect.default_model(&account.base, &listed)
        });
        Ok(Plan {
            tool: self.name(),
            version: None,
            model: model.clone(),
            patience: PATIENCE,
            way: Way::Talk(Box::new(Talk {
                dialect: self.dialect,
                account,
                settings: settings.clone(),
                limits: request.limits.clone(),
                model,
                system: system.map(str::to_owned),
                prompt: prompt.to_owned(),
            })),
        })
    }

    fn account(&self, settings: &ToolSettings) -> Option<String> {
        Account::resolve(self.dialect.provider(), settings, &self.variables).ok().map(|account| account.sentence())
    }
}

/// Asks for the list of models. A server that answers, but not with one, is there all the same.
async fn list(dialect: &dyn Dialect, account: &Account) -> Listing {
    let unreachable = |error: reqwest::Error| Listing::Unreachable(http::broken(&error));
    let client = match http::client(&account.base) {
        Ok(client) => client,
        Err(error) => return unreachable(error),
    };
    let request = client.get(dialect.listing(&account.base)).headers(headers(dialect, account));
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return unreachable(error),
    };
    if response.status().is_success() {
        let body: Value = response.json().await.unwrap_or_default();
        return Listing::Models(dialect.model_names(&body));
    }
    let told = told_by(response, account).await;
    let asked = asked(dialect, account, None);
    let (failure, _) = told.failure(&asked, SystemClock.now());
    // A key may be good for questions and not for lists.
    let is_narrow = told.words.to_lowercase().contains("scope");
    if failure.class == FailureClass::Auth && !is_narrow {
        Listing::KeyRefused(failure.error)
    } else {
        Listing::Models(Vec::new())
    }
}

fn headers(dialect: &dyn Dialect, account: &Account) -> HeaderMap {
    let mut headers = dialect.headers();
    headers.extend(account.header());
    headers
}

fn asked<'a>(dialect: &dyn Dialect, account: &'a Account, model: Option<&'a str>) -> Asked<'a> {
    Asked { who: dialect.provider().title, account, model, unknown_model: FailureClass::Refused }
}

async fn told_by(response: Response, account: &Account) -> Told {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = http::beginning(response, MAX_BODY).await;
    Told::by_reply(account, status, &headers, &body)
}

/// One question and its streamed answer.
#[derive(Debug)]
struct Talk {
    dialect: &'static dyn Dialect,
    account: Account,
    settings: ToolSettings,
    limits: Limits,
    model: Option<String>,
    system: Option<String>,
    prompt: String,
}

#[async_trait]
impl Conversation for Talk {
    async fn hold(self: Box<Self>, sink: EventSink) -> Final {
        match self.ask(&sink).await {
            Ok(end) => end,
            Err(failure) => Final::failed(failure),
        }
    }
}

impl Talk {
    async fn ask(&self, sink: &EventSink) -> Result<Final, Failure> {
        let client = http::client(&self.account.base).map_err(|error| self.unreachable(&error))?;
        let model = match &self.model {
            Some(model) => model.clone(),
            None => self.first_model().await?,
        };
        let ask = Ask {
            model: &model,
            system: self.system.as_deref(),
            prompt: &self.prompt,
            bound: bound(
                &self.limits,
                self.system.as_deref().unwrap_or("").len() + self.prompt.len(),
                &model,
                &self.settings,
            )?,
        };
        let response = self.send(&client, &ask, sink).await?;
        let mut answer = Answer::new(model.clone(), self.settings.clone());
        let read = self.read(response, &mut answer, sink).await;
        if let Some(usage) = answer.last_usage() {
            sink.emit(usage).await;
        }
        read?;
        answer.end(sink).await
    }

    /// Asks, and asks again without what the server does not know.
    async fn send(&self, client: &Client, ask: &Ask<'_>, sink: &EventSink) -> Result<Response, Failure> {
        let Question { url, mut body } = self.dialect.question(&self.account.base, ask);
        loop {
            let request = client.post(url.clone()).headers(headers(self.dialect, &self.account)).json(&body);
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            if response.status().is_success() {
                return self.check_stream(response).await;
            }
            let told = told_by(response, &self.account).await;
            if self.dialect.yields(&mut body, &told) {
                continue;
            }
            return Err(self.refusal(&told, Some(ask.model), sink).await);
        }
    }

    /// A page for people, or one whole document, is no stream.
    async fn check_stream(&self, response: Response) -> Result<Response, Failure> {
        let kind = response.headers().get(CONTENT_TYPE).map(|kind| lossy(kind.as_bytes())).unwrap_or_default();
        if !kind.starts_with("text/html") && !kind.starts_with("application/json") {
            return Ok(response);
        }
        let body = http::beginning(response, MAX_BODY).await;
        if let Ok(body) = serde_json::from_slice::<Value>(&body)
            && !body["error"].is_null()
        {
            let told = Told::by_json(&self.account, &body);
            return Err(told.failure(&asked(self.dialect, &self.account, None), SystemClock.now()).0);
        }
        let shown = self.account.without_key(lossy(&body));
        let (who, shown) = (self.dialect.provider().title, head(&shown, 200));
        Err(Failure::new(FailureClass::Server, format!("{who} answered with {kind} and not with events: {shown}")))
    }

    async fn read(&self, response: Response, answer: &mut Answer, sink: &EventSink) -> Result<(), Failure> {
        let (mut body, mut events) = (response.bytes_stream(), Events::new());
        while !answer.is_closed() {
            let was_over = answer.is_over();
            let next = if was_over {
                tokio::time::timeout(AFTER_END, body.next()).await.unwrap_or(None)
            } else {
                body.next().await
            };
            let mut wrong = None;
            let mut take = |data: &[u8]| {
                if wrong.is_none() {
                    wrong = self.event(data, answer).err();
                }
            };
            let is_end = next.is_none();
            let framed = match next {
                Some(Ok(chunk)) => events.push(&chunk, &mut take),
                // What was lost behind the last event is not missed.
                Some(Err(_)) if was_over => return Ok(()),
                Some(Err(error)) => return Err(Failure::new(FailureClass::Network, http::broken(&error))),
                None => {
                    events.finish(&mut take);
                    Ok(())
                }
            };
            for event in answer.take_events() {
                sink.emit(event).await;
            }
            if let Err(TooLong(n)) = framed {
                let who = self.dialect.provider().title;
                return Err(Failure::new(FailureClass::Server, format!("{who} sent an event of more than {n} bytes")));
            }
            match wrong {
                Some(Wrong::NoJson(shown)) => {
                    let who = self.dialect.provider().title;
                    return Err(Failure::new(FailureClass::Server, format!("{who} sent no JSON: {shown}")));
                }
                Some(Wrong::Told(told)) => return Err(self.refusal(&told, None, sink).await),
                None if is_end => return Ok(()),
                None => {}
            }
        }
        Ok(())
    }

    fn event(&self, data: &[u8], answer: &mut Answer) -> Result<(), Wrong> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            answer.close();
            return Ok(());
        }
        let Ok(event) = serde_json::from_slice::<Value>(data) else {
            let shown = self.account.without_key(lossy(data));
            return Err(Wrong::NoJson(head(&shown, 200).to_owned()));
        };
        if !event["error"].is_null() || event["object"] == "error" {
            return Err(Wrong::Told(Told::by_json(&self.account, &event)));
        }
        self.dialect.read(&self.account.base, &event, answer);
        Ok(())
    }

    async fn refusal(&self, told: &Told, model: Option<&str>, sink: &EventSink) -> Failure {
        let (failure, limit) = told.failure(&asked(self.dialect, &self.account, model), SystemClock.now());
        if let Some(limit) = limit {
            sink.emit(ToolEvent::RateLimit(limit)).await;
        }
        failure
    }

    async fn first_model(&self) -> Result<String, Failure> {
        let failed = |class, words: String| Err(Failure::new(class, words));
        let base = http::shown(&self.account.base);
        match list(self.dialect, &self.account).await {
            Listing::Models(models) => match models.into_iter().next() {
                Some(model) => Ok(model),
                None => failed(
                    FailureClass::ToolMissing,
                    format!("{base} does not tell its models: name one, or set model for {}", self.dialect.tool()),
                ),
            },
            Listing::KeyRefused(words) => failed(FailureClass::Auth, words),
            Listing::Unreachable(words) => failed(FailureClass::Network, format!("nobody answers at {base}: {words}")),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let (base, words) = (http::shown(&self.account.base), http::broken(error));
        Failure::new(FailureClass::Network, format!("nobody answers at {base}: {words}"))
    }
}

/// An event that is no piece of an answer.
#[derive(Debug)]
enum Wrong {
    NoJson(String),
    Told(Told),
}

/// How many tokens a reply may have so that the run stays within its limits; none where it has none. A prompt that
/// uses them up by itself is not even sent.
fn bound(limits: &Limits, prompt_bytes: usize, model: &str, settings: &ToolSettings) -> Result<Option<u64>, Failure> {
    let prompt = prompt_bytes as u64 / BYTES_PER_TOKEN;
    let by_tokens = limits.tokens.map(|most| most.saturating_sub(prompt));
    let by_cost = limits.cost_microusd.filter(|_| settings.free != Some(true)).and_then(|most| {
        // What costs an unknown sum cannot be bounded by it.
        price_of(model, prompt, settings).map(|price| price.affords(most, prompt))
    });
    match by_tokens.into_iter().chain(by_cost).min() {
        Some(0) => Err(Failure::new(
            FailureClass::Budget,
            format!("the prompt alone, about {prompt} tokens, is more than the run may use"),
        )),
        // No reply is that long, and a server would refuse a bound that its model cannot reach.
        Some(left) if left >= NO_BOUND => Ok(None),
        Some(left) => Ok(Some(left.min(max_output(model)))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
