//! One question and its streamed answer, whoever is asked.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response};
use serde_json::Value;
use swarm_model::FailureClass;
use swarm_model::time::{Clock, SystemClock};

use super::{Answer, Ask, Dialect, Question, asked, headers, list, told_by};
use crate::account::Account;
use crate::adapter::{Conversation, EventSink};
use crate::catalogue::Listing;
use crate::event::{Failure, Final, ToolEvent, head};
use crate::framer::lossy;
use crate::http;
use crate::meter::{Call, Meter, Question as Counted};
use crate::refusal::{MAX_BODY, Told};
use crate::sse::{Events, TooLong};

/// How long the connection may stay open behind the last event of an answer.
const AFTER_END: Duration = Duration::from_secs(10);

/// One question and its streamed answer.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) dialect: &'static dyn Dialect,
    pub(super) account: Account,
    pub(super) meter: Meter,
    /// None takes the first that the server lists.
    pub(super) model: Option<String>,
    pub(super) system: Option<String>,
    pub(super) prompt: String,
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
        let system = self.system.as_deref();
        let prompt_bytes = (system.unwrap_or("").len() + self.prompt.len()) as u64;
        let question = Counted { model: &model, prompt_bytes, is_streamed: true, wished: None };
        let call = self.meter.ask(question).map_err(|denied| denied.failure())?;
        let ask = Ask { model: &model, system, prompt: &self.prompt, bound: call.bound() };
        let response = self.send(&client, &ask, &call, sink).await?;
        let mut answer = Answer::new(model.clone());
        self.read(response, &mut answer, &call, sink).await?;
        call.finish();
        answer.end(sink).await
    }

    /// Asks, and asks again without what the server does not know.
    async fn send(&self, client: &Client, ask: &Ask<'_>, call: &Call, sink: &EventSink) -> Result<Response, Failure> {
        let Question { url, mut body } = self.dialect.question(&self.account.base, ask);
        loop {
            let request = client.post(url.clone()).headers(headers(self.dialect, &self.account)).json(&body);
            let response = request.send().await.map_err(|error| {
                call.unreached();
                self.unreachable(&error)
            })?;
            call.answered(response.status().as_u16());
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
        let (who, shown) = (self.who(), head(&shown, 200));
        Err(Failure::new(FailureClass::Server, format!("{who} answered with {kind} and not with events: {shown}")))
    }

    async fn read(
        &self,
        response: Response,
        answer: &mut Answer,
        call: &Call,
        sink: &EventSink,
    ) -> Result<(), Failure> {
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
            let spent = call.note(answer.take_seen());
            for event in answer.take_events() {
                sink.emit(event).await;
            }
            spent.map_err(|denied| denied.failure())?;
            if let Err(TooLong(n)) = framed {
                let who = self.who();
                return Err(Failure::new(FailureClass::Server, format!("{who} sent an event of more than {n} bytes")));
            }
            match wrong {
                Some(Wrong::NoJson(shown)) => {
                    let who = self.who();
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
            return Err(Wrong::Told(Box::new(Told::by_json(&self.account, &event))));
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

    fn who(&self) -> String {
        self.account.who(self.dialect.provider())
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
    Told(Box<Told>),
}
