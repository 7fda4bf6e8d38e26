//! What a run uses, and how much it may: one count for every way in which a tool asks models.
//!
//! The proxy of a run and the conversations inside this process ask here before each call ([`Meter::ask`]), tell what
//! came ([`Call::note`]), and are told when to break off. A tool that asks by itself reports what it used
//! ([`Meter::report`]), and the same limits hold. The run hears of news ([`Meter::changed`]) and ends where
//! [`Meter::stop`] says so.
//!
//! What a provider counts is believed; until it does, bytes are guesses on the high side, and a guess may run a tenth
//! over the limit before it ends an answer, because most models write more bytes in a token than is guessed.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use swarm_model::FailureClass;
use swarm_model::task::{Limits, ModelUse, Usage};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::state::{Open, State};
use crate::event::{Failure, RateLimit, ToolEvent, head};
use crate::prices::{is_named, max_output};
use crate::run::Stop;
use crate::settings::ToolSettings;

/// A bound on a reply that bounds none.
const NO_BOUND: u64 = 128_000;
/// What is kept of a model's name.
const MAX_NAME: usize = 200;

/// Tokens as a provider counts them; what it does not tell is absent. Those of a cache are not among `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cache_read: Option<u64>,
    pub(crate) cache_write: Option<u64>,
    /// Of those written, the ones of reasoning.
    pub(crate) reasoning: Option<u64>,
    /// What the provider says that it costs.
    pub(crate) cost_microusd: Option<u64>,
}

impl Tokens {
    /// These, and of the earlier ones what was not told anew.
    pub(crate) fn or(self, earlier: Self) -> Self {
        Self {
            input: self.input.or(earlier.input),
            output: self.output.or(earlier.output),
            cache_read: self.cache_read.or(earlier.cache_read),
            cache_write: self.cache_write.or(earlier.cache_write),
            reasoning: self.reasoning.or(earlier.reasoning),
            cost_microusd: self.cost_microusd.or(earlier.cost_microusd),
        }
    }
}

/// The count of one run.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    settings: ToolSettings,
    state: Mutex<State>,
    changed: Notify,
}

/// A call before it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) model: &'a str,
    /// Bytes of what the model reads.
    pub(crate) prompt_bytes: u64,
    /// Whether the answer can be broken off on its way.
    pub(crate) is_streamed: bool,
    /// How many tokens the reply may have, where that was said.
    pub(crate) wished: Option<u64>,
}

/// Why a call is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The task allows only other models.
    Model(String),
    /// Nothing is left of the budget, or less than the prompt alone would use.
    Spent(Stop),
}

impl Denied {
    /// The same as the failure of a run.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Model(words) => Failure::new(FailureClass::Refused, words.clone()),
            Self::Spent(stop) => stop.failure().unwrap_or_else(|| Failure::new(FailureClass::Budget, "")),
        }
    }
}

/// What came of an answer, piece by piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) model: Option<String>,
    pub(crate) tokens: Option<Tokens>,
    /// Bytes that the model wrote since the tokens were told, and in how many pieces: each holds a token at least.
    pub(crate) bytes: u64,
    pub(crate) pieces: u64,
}

impl Seen {
    /// Takes a piece that the model wrote.
    pub(crate) fn piece(&mut self, n_bytes: u64) {
        if n_bytes > 0 {
            self.bytes += n_bytes;
            self.pieces += 1;
        }
    }

    /// Takes the tokens so far; what was guessed until then is known now, where they hold what was written.
    pub(crate) fn count(&mut self, tokens: Tokens) {
        if tokens.output.is_some() {
            (self.bytes, self.pieces) = (0, 0);
        }
        self.tokens = Some(tokens.or(self.tokens.unwrap_or_default()));
    }

    /// Takes which model answers.
    pub(crate) fn name(&mut self, model: Option<&str>) {
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.model = Some(head(model, MAX_NAME).to_owned());
        }
    }
}

impl Meter {
    /// The count of a run that may go so far.
    pub(crate) fn of(limits: &Limits, settings: &ToolSettings) -> Self {
        Self(Arc::new(Inner {
            limits: limits.clone(),
            settings: settings.clone(),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Asks whether a model may answer.
    pub(crate) fn allow(&self, model: &str) -> Result<(), Denied> {
        let allowed = &self.0.limits.models;
        if allowed.is_empty() || allowed.iter().any(|name| is_named(name, model)) {
            return Ok(());
        }
        let allowed = allowed.join(", ");
        let words = format!("the model \"{model}\" is not among those that the task allows ({allowed})");
        self.lock().deny(&words);
        self.0.changed.notify_one();
        Err(Denied::Model(words))
    }

    /// Asks whether a call may be made. What is handed out counts the call until it is dropped.
    pub(crate) fn ask(&self, question: Question<'_>) -> Result<Call, Denied> {
        self.allow(question.model)?;
        let mut state = self.lock();
        if let Some(stop) = state.stop {
            return Err(Denied::Spent(stop));
        }
        let left = state.left(&self.0.limits, &self.0.settings, question).map_err(|stop| {
            state.stop = Some(stop);
            self.0.changed.notify_one();
            Denied::Spent(stop)
        })?;
        let id = state.open(question, left);
        Ok(Call { meter: self.clone(), id, left, model: question.model.to_owned() })
    }

    /// Takes what a tool says that it used, which asks by itself. It counts as long as no call was seen.
    pub(crate) fn report(&self, usage: &Usage) {
        let mut state = self.lock();
        state.report(usage);
        state.check(&self.0.limits, &self.0.settings);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes what a provider said of a limit of the account.
    pub(crate) fn limited(&self, limit: RateLimit) {
        let mut state = self.lock();
        state.news.push(ToolEvent::RateLimit(limit.clone()));
        state.limit = Some(limit);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes a remark for people.
    pub(crate) fn remark(&self, words: String) {
        self.lock().remark(words);
        self.0.changed.notify_one();
    }

    /// Waits until there are news, or a reason to end the run.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// What is to be told since the last time.
    pub(crate) fn news(&self) -> Vec<ToolEvent> {
        std::mem::take(&mut self.lock().news)
    }

    /// Why the run must end.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// The model that was refused, in a sentence.
    pub(crate) fn denied_model(&self) -> Option<String> {
        self.lock().denied.clone()
    }

    /// The last limit of the account that was hit.
    pub(crate) fn last_limit(&self) -> Option<RateLimit> {
        self.lock().limit.clone()
    }

    /// What the run used, if a call was seen.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let state = self.lock();
        state.has_calls().then(|| state.usage(&self.0.settings))
    }

    /// The same by model.
    pub(crate) fn by_model(&self) -> Vec<ModelUse> {
        self.lock().by_model()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is being made. Dropped before [`Call::finish`], it counts with what was seen and what is guessed.
#[derive(Debug)]
pub(crate) struct Call {
    meter: Meter,
    id: u64,
    left: Option<u64>,
    model: String,
}

impl Call {
    /// How many tokens the reply may have, where the run is bounded.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    /// The bound to ask for, where nobody asked for one: none where no reply is that long, and never one that the
    /// model cannot reach, which a server would refuse.
    pub(crate) fn bound(&self) -> Option<u64> {
        self.left.filter(|left| *left < NO_BOUND).map(|left| left.min(max_output(&self.model)))
    }

    /// The first byte came.
    pub(crate) fn answered(&self, status: u16) {
        self.with(|open| {
            open.status = Some(status);
            open.first_byte.get_or_insert_with(|| open.started.elapsed());
        });
    }

    /// Nobody could be reached, so that nothing was used.
    pub(crate) fn unreached(&self) {
        self.with(|open| open.status = Some(0));
    }

    /// Takes what came. Err where the answer must be broken off.
    pub(crate) fn note(&self, seen: Seen) -> Result<(), Denied> {
        let Meter(inner) = &self.meter;
        let mut state = self.meter.lock();
        let is_news = state.note(self.id, seen);
        state.check(&inner.limits, &inner.settings);
        if is_news {
            state.tell(&inner.settings);
        }
        let stop = state.stop;
        drop(state);
        if is_news || stop.is_some() {
            inner.changed.notify_one();
        }
        stop.map_or(Ok(()), |stop| Err(Denied::Spent(stop)))
    }

    /// The answer is whole: what was not told stays unknown.
    pub(crate) fn finish(self) {
        self.with(|open| open.is_whole = true);
    }

    fn with(&self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.meter.lock().open.get_mut(&self.id) {
            change(open);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Meter(inner) = &self.meter;
        let mut state = self.meter.lock();
        state.close(self.id, &inner.settings);
        state.check(&inner.limits, &inner.settings);
        state.tell(&inner.settings);
        drop(state);
        inner.changed.notify_one();
    }
}

/// Milliseconds of a span.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Now, for the spans of a call.
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
