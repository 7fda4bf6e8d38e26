//! What the providers' HTTP APIs have in common: one prompt, one streamed answer.
//!
//! A [`Dialect`] says what a question looks like and what the events of an answer mean; everything else is here, once:
//! key and address, bounds on the reply, refusals, the stream, its end. A failure can have status 200: an error event,
//! or a stream without its last event, is one. Closing the connection stops the model, so that dropping the
//! conversation is the cancel.

mod answer;
mod talk;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;
use swarm_model::time::{Clock, SystemClock};
use swarm_model::tool::{self, ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_model::{FailureClass, ToolName};
use url::Url;

pub(crate) use self::answer::{Answer, End};
use self::talk::Talk;
use super::{Adapter, Patience, Plan, RunRequest, Way, known_name, prompt_of};
use crate::account::{Account, KeyError, Obstacle, Provider, TakenKey, take};
use crate::catalogue::{Catalogue, Listing};
use crate::http;
use crate::meter::Meter;
use crate::refusal::{Asked, MAX_BODY, Told};
use crate::settings::ToolSettings;
use crate::variables::Variables;

/// A model may think for minutes before its first word, and says nothing while it does.
const PATIENCE: Patience =
    Patience { start: Some(Duration::from_mins(15)), silence: Some(Duration::from_mins(15)), silence_in_call: None };

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
                fix: format!("{words}: give another with `garageswarm tool login {}`", self.dialect.tool()),
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
        ToolInfo {
            name: self.name(),
            version: None,
            health,
            models,
            max_concurrent: settings.max_concurrent,
            account: None,
        }
    }

    fn plan(&self, request: &RunRequest, settings: &ToolSettings) -> Result<Plan, RefusalReason> {
        let (prompt, system) = prompt_of(request)?;
        let account = self.resolve(settings)?;
        let meter = Meter::of(&request.limits, settings);
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
            meter: meter.clone(),
            way: Way::Talk(Box::new(Talk {
                dialect: self.dialect,
                account,
                meter,
                model,
                system: system.map(str::to_owned),
                prompt: prompt.to_owned(),
            })),
        })
    }

    fn account(&self, settings: &ToolSettings) -> Option<String> {
        Account::resolve(self.dialect.provider(), settings, &self.variables).ok().map(|account| account.sentence())
    }

    async fn take_key(&self, key: &str, settings: &ToolSettings, check: bool) -> Result<TakenKey, KeyError> {
        take_key(self.dialect, self.dialect.provider(), key, settings, &self.variables, check).await
    }

    fn payer(&self, settings: &ToolSettings) -> Option<tool::Account> {
        self.resolve(settings).ok()?.payer()
    }
}

/// Takes a key for whoever asks this provider, in whatever name.
pub(super) async fn take_key(
    dialect: &'static dyn Dialect,
    provider: &Provider,
    key: &str,
    settings: &ToolSettings,
    variables: &Variables,
    check: bool,
) -> Result<TakenKey, KeyError> {
    let ask = check.then_some(async |account: Account| list(dialect, &account).await);
    take(provider, key, settings, variables, ask).await
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
    Asked { who: account.who(dialect.provider()), account, model, unknown_model: FailureClass::Refused }
}

async fn told_by(response: Response, account: &Account) -> Told {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = http::beginning(response, MAX_BODY).await;
    Told::by_reply(account, status, &headers, &body)
}

#[cfg(test)]
mod tests;
