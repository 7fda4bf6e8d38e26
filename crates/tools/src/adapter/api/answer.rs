//! An answer as far as it has come, whoever gives it.

use swarm_model::FailureClass;

use crate::adapter::EventSink;
use crate::event::{Failure, Final, ToolEvent};
use crate::meter::{Seen, Tokens};
use crate::run::Tail;

/// What is kept of a refusal's words.
const MAX_REFUSAL: usize = 2_000;

/// How a model ends an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It said what it had to say.
    Whole,
    /// It was cut, for the reason given.
    Cut(&'static str),
    /// The model or its provider declined, for the reason given.
    Refused(String),
}

/// The answer, and what is to be told of it.
#[derive(Debug)]
pub(crate) struct Answer {
    model: String,
    is_named: bool,
    text: Tail,
    n_calls: usize,
    /// What the meter has not been told yet.
    seen: Seen,
    end: Option<End>,
    /// What the model says in place of an answer.
    refusal: String,
    is_over: bool,
    is_closed: bool,
    events: Vec<ToolEvent>,
}

impl Answer {
    pub(crate) fn new(model: String) -> Self {
        Self {
            model,
            is_named: false,
            text: Tail::default(),
            n_calls: 0,
            seen: Seen::default(),
            end: None,
            refusal: String::new(),
            is_over: false,
            is_closed: false,
            events: Vec::new(),
        }
    }

    /// Which model answers, where it is told.
    pub(crate) fn named(&mut self, model: Option<&str>) {
        if self.is_named {
            return;
        }
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.is_named = true;
            self.seen.name(Some(model));
            model.clone_into(&mut self.model);
            self.events.push(ToolEvent::Model(model.to_owned()));
        }
    }

    /// A piece of the answer.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text.push(text);
            self.seen.piece(text.len() as u64);
            self.events.push(ToolEvent::Text(text.to_owned()));
        }
    }

    /// A piece of the reasoning.
    pub(crate) fn thinking(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.seen.piece(text.len() as u64);
            self.events.push(ToolEvent::Thinking(text.to_owned()));
        }
    }

    /// A call of a tool: nobody offered one, but what the model wants is shown.
    pub(crate) fn call(&mut self, id: Option<&str>, name: &str, input: serde_json::Value) {
        self.n_calls += 1;
        let id = id.map_or_else(|| format!("call-{}", self.n_calls), str::to_owned);
        self.events.push(ToolEvent::ToolCall { id, name: name.to_owned(), input });
    }

    /// Tokens so far; what is told anew replaces what was told.
    pub(crate) fn uses(&mut self, tokens: Tokens) {
        self.seen.count(tokens);
    }

    /// A piece of what the model says in place of an answer.
    pub(crate) fn refuses(&mut self, words: &str) {
        if self.refusal.len() < MAX_REFUSAL {
            self.refusal.push_str(words);
        }
    }

    /// Why the answer is going to end. A refusal is not taken back.
    pub(crate) fn will_end(&mut self, end: End) {
        if !matches!(self.end, Some(End::Refused(_))) {
            self.end = Some(end);
        }
    }

    /// Why the answer ends here, though counts may follow.
    pub(crate) fn ends(&mut self, end: End) {
        self.will_end(end);
        self.is_over = true;
    }

    /// Nothing comes any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether the model has ended its answer; counts may still come.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed || self.is_over
    }

    pub(super) fn take_events(&mut self) -> Vec<ToolEvent> {
        std::mem::take(&mut self.events)
    }

    /// What came since the last time, for the meter.
    pub(super) fn take_seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    /// The end of the stream.
    pub(super) async fn end(self, sink: &EventSink) -> Result<Final, Failure> {
        if !self.is_over() {
            return Err(Failure::new(FailureClass::Network, "the connection ended before the answer did"));
        }
        let text = self.text.as_str().to_owned();
        let is_empty = text.trim().is_empty() && self.n_calls == 0;
        let refusal = Some(self.refusal).filter(|words| !words.is_empty()).map(End::Refused);
        match refusal.or(self.end) {
            Some(End::Refused(reason)) => {
                return Err(Failure::new(FailureClass::Refused, format!("{} declined: {reason}", self.model)));
            }
            Some(End::Cut(why)) if is_empty => {
                let error = format!("{} gave no answer: it was cut before, {why}", self.model);
                return Err(Failure::new(FailureClass::EmptyOutput, error));
            }
            Some(End::Cut(why)) => sink.emit(ToolEvent::Notice(format!("the answer was cut {why}"))).await,
            Some(End::Whole) | None => {}
        }
        if is_empty {
            return Err(Failure::new(FailureClass::EmptyOutput, format!("{} gave no answer", self.model)));
        }
        Ok(Final { text, turns: Some(1), ..Final::default() })
    }
}
