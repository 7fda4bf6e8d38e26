//! What is kept of a run's events for its result and its record.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use swarm_model::FailureClass;
use swarm_model::task::{RunRecord, Usage};

use super::RESULT_TEXT_BYTES;
use crate::event::{Failure, ToolEvent, head};
use crate::guard::Ended;

/// Lines of standard error that explain a failure.
const ERROR_LINES: usize = 8;
const ERROR_LINE_BYTES: usize = 400;

/// What is kept while the events pass.
#[derive(Debug, Default)]
pub(super) struct Collected {
    text: Tail,
    errors: VecDeque<String>,
    pub(super) usage: Usage,
    session: Option<String>,
    model: Option<String>,
    version: Option<String>,
    n_tool_calls: u32,
    open_calls: HashSet<String>,
    first_output: Option<Duration>,
}

impl Collected {
    pub(super) fn note(&mut self, event: &ToolEvent, elapsed: Duration) {
        match event {
            ToolEvent::Text(text) => {
                self.text.push(text);
                self.first_output.get_or_insert(elapsed);
            }
            ToolEvent::Thinking(_) | ToolEvent::Stdout(_) => {
                self.first_output.get_or_insert(elapsed);
            }
            ToolEvent::Stderr(line) => {
                self.first_output.get_or_insert(elapsed);
                if !line.trim().is_empty() {
                    self.errors.push_back(head(line, ERROR_LINE_BYTES).to_owned());
                    self.errors.drain(..self.errors.len().saturating_sub(ERROR_LINES));
                }
            }
            ToolEvent::ToolCall { id, .. } => {
                self.first_output.get_or_insert(elapsed);
                self.n_tool_calls += 1;
                self.open_calls.insert(id.clone());
            }
            ToolEvent::ToolResult { id, .. } => {
                self.open_calls.remove(id);
            }
            ToolEvent::Usage(usage) => self.usage = usage.clone(),
            ToolEvent::Session { id, model, version } => {
                self.session = Some(id.clone());
                self.model = model.clone().or(self.model.take());
                self.version = version.clone().or(self.version.take());
            }
            ToolEvent::Model(model) => self.model = Some(model.clone()),
            ToolEvent::RateLimit(_) | ToolEvent::Notice(_) | ToolEvent::Progress(_) | ToolEvent::Final(_) => {}
        }
    }

    pub(super) fn has_open_call(&self) -> bool {
        !self.open_calls.is_empty()
    }

    pub(super) fn text(&self) -> String {
        self.text.as_str().to_owned()
    }

    /// The failure of a tool that ended without saying how.
    pub(super) fn unfinished(&self, ended: Option<&Ended>) -> Failure {
        let how = match ended {
            Some(ended) => match (ended.code, ended.signal) {
                (Some(code), _) => format!("it ended with code {code} and without a result"),
                (None, Some(signal)) => format!("signal {signal} ended it before it had a result"),
                (None, None) => "it ended without a result".to_owned(),
            },
            None => "it was killed together with its guard before it had a result".to_owned(),
        };
        Failure::new(FailureClass::ProcessFailed, with_error_lines(how, self.errors.iter().map(String::as_str)))
    }

    /// Puts what was seen into the record; what the plan knew stays where nothing better was told.
    pub(super) fn fill(self, record: &mut RunRecord) {
        record.session = self.session;
        record.model = self.model.or(record.model.take());
        record.tool_version = self.version.or(record.tool_version.take());
        record.first_output_ms = self.first_output.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        record.tool_calls = Some(self.n_tool_calls);
        record.usage = self.usage;
    }
}

/// A sentence, followed by the last lines of standard error.
pub(crate) fn with_error_lines<'a>(sentence: String, lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { sentence } else { format!("{sentence}: {}", lines.join("\n")) }
}

/// The end of a text that may be endless.
#[derive(Debug, Default)]
pub(crate) struct Tail(String);

impl Tail {
    pub(crate) fn push(&mut self, text: &str) {
        self.0.push_str(text);
        // Twice the bound, so that the beginning is not moved for every piece.
        if self.0.len() > 2 * RESULT_TEXT_BYTES {
            self.0.drain(..self.0.ceil_char_boundary(self.0.len() - RESULT_TEXT_BYTES));
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0[self.0.ceil_char_boundary(self.0.len().saturating_sub(RESULT_TEXT_BYTES))..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_within_its_bound() {
        let mut tail = Tail::default();
        for n in 0..200_000 {
            tail.push(&format!("é{n}\n"));
            assert!(tail.0.len() <= 2 * RESULT_TEXT_BYTES + 16);
        }
        assert!(tail.as_str().len() <= RESULT_TEXT_BYTES);
        assert!(tail.as_str().ends_with("é199999\n"));
    }

    #[test]
    fn the_last_lines_of_an_error_explain_it() {
        let mut collected = Collected::default();
        for n in 0..20 {
            collected.note(&ToolEvent::Stderr(format!("line {n}")), Duration::ZERO);
        }
        let failure = collected.unfinished(None);
        assert!(failure.error.ends_with("line 18\nline 19"), "{}", failure.error);
        assert!(!failure.error.contains("line 11\n"), "{}", failure.error);
    }
}
