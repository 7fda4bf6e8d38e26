//! Reads the lines of `codex exec --json`.
//!
//! Only `turn.completed` and `turn.failed` are final. An `error` is a remark while the tool connects anew, and
//! otherwise what `turn.failed` will say. Items of type `error` are warnings. Texts come whole, and a call may
//! have no end of its own where the tool left its command running.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use swarm_model::FailureClass;
use swarm_model::time::{Clock, SystemClock};

use super::failure;
use crate::adapter::OutputParser;
use crate::adapter::ledger::{Ledger, Totals};
use crate::adapter::output::{Line, Output};
use crate::adapter::program::Pricing;
use crate::event::{Failure, Final, ToolEvent};
use crate::guard::Ended;

/// The turn is complete all the same, so that nobody else would say it.
const BROKEN_SANDBOX: &str = "Codex's sandbox does not work on this machine, and its commands fail: allow user \
     namespaces, or, where the machine itself is a sandbox, set permission_mode = \"danger-full-access\" for codex";

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    output: Output,
    ledger: Ledger,
    pricing: Pricing,
    clock: Box<dyn Clock>,
    zone: TimeZone,
    thread: String,
    /// The last message, which is the answer once the turn is complete.
    answer: String,
    n_calls: u64,
    /// Calls whose beginning was told.
    open: HashSet<String>,
    last_error: Option<String>,
    has_warned: bool,
    is_over: bool,
}

impl Stream {
    pub(super) fn new(ledger: Ledger, pricing: Pricing) -> Self {
        Self::at(ledger, pricing, Box::new(SystemClock), TimeZone::system())
    }

    fn at(ledger: Ledger, pricing: Pricing, clock: Box<dyn Clock>, zone: TimeZone) -> Self {
        Self {
            output: Output::new(),
            ledger,
            pricing,
            clock,
            zone,
            thread: String::new(),
            answer: String::new(),
            n_calls: 0,
            open: HashSet::new(),
            last_error: None,
            has_warned: false,
            is_over: false,
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
            "thread.started" => {
                event["thread_id"].as_str().unwrap_or("").clone_into(&mut self.thread);
                events.push(ToolEvent::Session { id: self.thread.clone(), model: None, version: None });
            }
            "item.started" => self.item(&event["item"], false, events),
            "item.completed" => self.item(&event["item"], true, events),
            "error" => self.remark(text_of(&event["message"]), events),
            "turn.completed" => self.completed(&event["usage"], events),
            "turn.failed" => self.failed(text_of(&event["error"]["message"]), events),
            _ => {}
        }
    }

    fn remark(&mut self, words: &str, events: &mut Vec<ToolEvent>) {
        if words.starts_with("Reconnecting") {
            events.push(ToolEvent::Notice(words.to_owned()));
        } else {
            self.last_error = Some(words.to_owned());
        }
    }

    fn item(&mut self, item: &Value, is_complete: bool, events: &mut Vec<ToolEvent>) {
        match item["type"].as_str().unwrap_or("") {
            "agent_message" if is_complete => self.message(text_of(&item["text"]), events),
            "reasoning" if is_complete => events.push(ToolEvent::Thinking(text_of(&item["text"]).to_owned())),
            "error" => events.push(ToolEvent::Notice(text_of(&item["message"]).to_owned())),
            _ => {
                if let Some((name, input)) = call_of(item) {
                    self.call(item, name, input, is_complete, events);
                }
            }
        }
    }

    fn message(&mut self, text: &str, events: &mut Vec<ToolEvent>) {
        if text.is_empty() {
            return;
        }
        let between = if self.answer.is_empty() { "" } else { "\n\n" };
        events.push(ToolEvent::Text(format!("{between}{text}")));
        text.clone_into(&mut self.answer);
    }

    fn call(&mut self, item: &Value, name: String, input: Value, is_complete: bool, events: &mut Vec<ToolEvent>) {
        let id = text_of(&item["id"]).to_owned();
        if self.open.insert(id.clone()) {
            self.n_calls += 1;
            events.push(ToolEvent::ToolCall { id: id.clone(), name, input });
        }
        if is_complete {
            self.open.remove(&id);
            let is_error = matches!(item["status"].as_str(), Some("failed" | "declined"));
            let text = result_of(item);
            let is_sandbox_broken = is_error && text.lines().any(|line| line.starts_with("bwrap: "));
            events.push(ToolEvent::ToolResult { id, is_error, text });
            if is_sandbox_broken && !std::mem::replace(&mut self.has_warned, true) {
                events.push(ToolEvent::Notice(BROKEN_SANDBOX.to_owned()));
            }
        }
    }

    fn completed(&mut self, usage: &Value, events: &mut Vec<ToolEvent>) {
        if let Some(used) = self.ledger.settle(&self.thread, totals(usage), Totals::default()) {
            events.push(ToolEvent::Usage(self.pricing.usage(used)));
        }
        let is_empty = self.answer.trim().is_empty() && self.n_calls == 0;
        let failure =
            is_empty.then(|| Failure::new(FailureClass::EmptyOutput, "Codex said it was done and gave nothing"));
        self.end(Final { text: self.answer.clone(), failure, ..Final::default() }, events);
    }

    fn failed(&mut self, words: &str, events: &mut Vec<ToolEvent>) {
        let failure = failure::of_words(words, self.clock.now(), &self.zone);
        self.end(Final::failed(failure), events);
    }

    fn end(&mut self, end: Final, events: &mut Vec<ToolEvent>) {
        self.is_over = true;
        events.push(ToolEvent::Final(end));
    }
}

impl OutputParser for Stream {
    fn stdout(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        self.lines(Some(chunk), events);
    }

    fn stderr(&mut self, chunk: &[u8], events: &mut Vec<ToolEvent>) {
        self.output.errors(Some(chunk), events, |_| false);
    }

    fn finish(&mut self, _ended: Option<&Ended>, events: &mut Vec<ToolEvent>) {
        self.lines(None, events);
        self.output.errors(None, events, |_| false);
        if let Some(words) = self.last_error.take().filter(|_| !self.is_over) {
            self.failed(&words, events);
        }
    }
}

/// Name and arguments of an item that is a call.
fn call_of(item: &Value) -> Option<(String, Value)> {
    let kind = item["type"].as_str()?;
    let input = match kind {
        "command_execution" => json!({ "command": item["command"] }),
        "file_change" => json!({ "changes": item["changes"] }),
        "web_search" => json!({ "query": item["query"] }),
        "mcp_tool_call" => {
            let name = format!("{}.{}", text_of(&item["server"]), text_of(&item["tool"]));
            return Some((name, item["arguments"].clone()));
        }
        _ => return None,
    };
    Some((kind.to_owned(), input))
}

fn result_of(item: &Value) -> String {
    let error = text_of(&item["error"]["message"]);
    if !error.is_empty() {
        return error.to_owned();
    }
    if let Some(output) = item["aggregated_output"].as_str() {
        return output.to_owned();
    }
    let blocks = item["result"]["content"].as_array().into_iter().flatten();
    blocks.filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// What was read from a cache counts among the input here, and beside it everywhere else.
fn totals(usage: &Value) -> Totals {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let (cached, written) = (count("cached_input_tokens"), count("cache_write_input_tokens"));
    Totals {
        input_tokens: count("input_tokens").saturating_sub(cached).saturating_sub(written),
        output_tokens: count("output_tokens"),
        cache_read_tokens: cached,
        cache_write_tokens: written,
        cost_microusd: 0,
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests;
