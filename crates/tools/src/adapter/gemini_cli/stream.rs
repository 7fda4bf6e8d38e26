//! Reads the lines of `--output-format stream-json`.
//!
//! Success is a `result` line that says so: the exit code is 0 also where a signal ended the tool. After a broken
//! connection the answer begins anew without a mark, so that what came is not the answer; at the end the session
//! tells it. `result` comes before the exit code, which knows more about a failure: the last word is said then.

use std::path::PathBuf;

use serde_json::Value;
use swarm_model::FailureClass;
use swarm_model::time::{Clock, SystemClock};
use uuid::Uuid;

use super::{failure, session};
use crate::adapter::OutputParser;
use crate::adapter::ledger::Totals;
use crate::adapter::output::{Line, Output};
use crate::adapter::program::Pricing;
use crate::event::{Failure, Final, ToolEvent};
use crate::guard::Ended;
use crate::run::{Tail, with_error_lines};

/// Lines of standard error that say nothing about the run.
const NOISE: [&str; 4] =
    ["Warning: 256-color support not detected", "YOLO mode is enabled", "Ripgrep is not available", "[STARTUP] Phase"];

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    output: Output,
    home: PathBuf,
    pricing: Pricing,
    clock: Box<dyn Clock>,
    session: Option<Uuid>,
    /// What was said since the last call: the answer, unless it began anew.
    answer: Tail,
    has_text: bool,
    n_calls: u64,
    last_error: Option<String>,
    end: End,
}

/// What the `result` line said.
#[derive(Debug)]
enum End {
    Open,
    Success,
    Failed { words: String, class: FailureClass },
}

impl Stream {
    pub(super) fn new(home: PathBuf, pricing: Pricing) -> Self {
        Self::at(home, pricing, Box::new(SystemClock))
    }

    fn at(home: PathBuf, pricing: Pricing, clock: Box<dyn Clock>) -> Self {
        Self {
            output: Output::new(),
            home,
            pricing,
            clock,
            session: None,
            answer: Tail::default(),
            has_text: false,
            n_calls: 0,
            last_error: None,
            end: End::Open,
        }
    }

    fn lines(&mut self, chunk: Option<&[u8]>, events: &mut Vec<ToolEvent>) {
        for line in self.output.lines(chunk) {
            match line {
                Line::Object(event) => self.event(&event, events),
                Line::Foreign(event) => events.push(event),
            }
        }
    }

    fn event(&mut self, event: &Value, events: &mut Vec<ToolEvent>) {
        match event["type"].as_str().unwrap_or("") {
            "init" => {
                let id = text_of(&event["session_id"]);
                self.session = Uuid::try_parse(id).ok();
                let model = event["model"].as_str().map(str::to_owned);
                events.push(ToolEvent::Session { id: id.to_owned(), model, version: None });
            }
            "message" if event["role"] == "assistant" => self.piece(text_of(&event["content"]), events),
            "tool_use" => {
                self.n_calls += 1;
                self.answer = Tail::default();
                events.push(ToolEvent::ToolCall {
                    id: text_of(&event["tool_id"]).to_owned(),
                    name: text_of(&event["tool_name"]).to_owned(),
                    input: event["parameters"].clone(),
                });
            }
            "tool_result" => {
                let told = event["output"].as_str().or(event["error"]["message"].as_str());
                events.push(ToolEvent::ToolResult {
                    id: text_of(&event["tool_id"]).to_owned(),
                    is_error: event["status"] == "error",
                    text: told.unwrap_or("").to_owned(),
                });
            }
            "error" => {
                let words = text_of(&event["message"]).to_owned();
                if event["severity"] == "error" {
                    self.last_error = Some(words.clone());
                }
                events.push(ToolEvent::Notice(words));
            }
            "result" => self.result(event, events),
            _ => {}
        }
    }

    fn piece(&mut self, text: &str, events: &mut Vec<ToolEvent>) {
        if text.is_empty() {
            return;
        }
        let begins = self.answer.as_str().is_empty();
        let between = if begins && self.has_text { "\n\n" } else { "" };
        events.push(ToolEvent::Text(format!("{between}{text}")));
        self.answer.push(text);
        self.has_text = true;
    }

    fn result(&mut self, result: &Value, events: &mut Vec<ToolEvent>) {
        let stats = &result["stats"];
        let used = totals(stats);
        if used != Totals::default() {
            let models = stats["models"].as_object().into_iter().flatten();
            let models = models.map(|(name, stats)| (name.as_str(), totals(stats)));
            let models = models.filter(|(_, used)| *used != Totals::default());
            events.push(ToolEvent::Usage(self.pricing.usage_of(used, models)));
        }
        let end = if result["status"] == "success" {
            self.end = End::Success;
            self.answered()
        } else {
            let told = result["error"]["message"].as_str().map(str::to_owned).or_else(|| self.last_error.take());
            let words = told.unwrap_or_else(|| "Gemini CLI failed and did not say why".to_owned());
            let failure = failure::of_words(&words, None, self.clock.now());
            self.end = End::Failed { words, class: failure.class };
            Final::failed(failure)
        };
        events.push(ToolEvent::Final(end));
    }

    fn answered(&self) -> Final {
        let is_empty = !self.has_text && self.n_calls == 0;
        let failure =
            is_empty.then(|| Failure::new(FailureClass::EmptyOutput, "Gemini CLI said it was done and gave nothing"));
        Final { text: self.answer.as_str().trim_end().to_owned(), failure, ..Final::default() }
    }

    /// The last word on a success: what the session holds of the answer, and of which model it is.
    fn checked_answer(&self, events: &mut Vec<ToolEvent>) {
        let Some(id) = self.session else { return };
        let Some(last) = session::last_words(&self.home, id) else { return };
        let streamed = self.answer.as_str().trim_end();
        let meant = last.text.trim_end();
        // Another ending is no repetition, but something that this version of the tool keeps in another way.
        if meant.is_empty() || !streamed.ends_with(meant) {
            return;
        }
        events.extend(last.model.map(ToolEvent::Model));
        if meant.len() < streamed.len() {
            events.push(ToolEvent::Notice("the answer began anew on the way; the result holds it once".to_owned()));
            events.push(ToolEvent::Final(Final { text: meant.to_owned(), ..Final::default() }));
        }
    }

    /// The failure of an end without a result, where the code tells more than that it is one.
    fn unfinished(&self, ended: Option<&Ended>, events: &mut Vec<ToolEvent>) {
        let Some(code) = ended.and_then(|ended| ended.code) else { return };
        let Some(class) = failure::of_code(code) else { return };
        let sentence = format!("it ended with code {code} and without a result");
        let error = with_error_lines(sentence, self.output.last_errors());
        events.push(ToolEvent::Final(Final::failed(Failure::new(class, error))));
    }
}

impl OutputParser for Stream {
    fn stdout(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        self.lines(Some(chunk), events);
    }

    fn stderr(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        self.output.errors(Some(chunk), events, is_noise);
    }

    fn finish(&mut self, ended: Option<&Ended>, events: &mut Vec<ToolEvent>) {
        self.lines(None, events);
        self.output.errors(None, events, is_noise);
        match &self.end {
            End::Open => self.unfinished(ended, events),
            End::Success => self.checked_answer(events),
            End::Failed { words, class } => {
                let code = ended.and_then(|ended| ended.code);
                let failure = failure::of_words(words, code, self.clock.now());
                if failure.class != *class {
                    events.push(ToolEvent::Final(Final::failed(failure)));
                }
            }
        }
    }
}

fn is_noise(line: &str) -> bool {
    NOISE.iter().any(|noise| line.starts_with(noise))
}

/// What was read from a cache counts among the input here, and beside it everywhere else. Thoughts are paid for
/// as output and show in the total alone.
fn totals(stats: &Value) -> Totals {
    let count = |name: &str| stats[name].as_u64().unwrap_or(0);
    let (input, cached) = (count("input_tokens"), count("cached"));
    Totals {
        input_tokens: input.saturating_sub(cached),
        output_tokens: count("output_tokens").max(count("total_tokens").saturating_sub(input)),
        cache_read_tokens: cached,
        ..Totals::default()
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests;
