//! Reads the lines of `--output-format stream-json`.
//!
//! The order of keys differs between versions. Unknown types are passed over. Text comes twice, in pieces and then as a whole message: the whole is only
//! used where no piece of it came.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use swarm_model::task::Usage;
use swarm_model::{FailureClass, Timestamp};

use super::failure;
use crate::adapter::OutputParser;
use crate::adapter::ledger::{Ledger, Totals};
use crate::adapter::output::{Line, Output};
use crate::event::{Failure, Final, RateLimit, ToolEvent};
use crate::guard::Ended;

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    output: Output,
    ledger: Ledger,
    /// The message that is being streamed, and those that were.
    current: String,
    streamed: HashSet<String>,
    has_text: bool,
    n_calls: u64,
    used: HashMap<String, Totals>,
    told: Totals,
    refused: Option<RateLimit>,
}

impl Stream {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self {
            output: Output::new(),
            ledger,
            current: String::new(),
            streamed: HashSet::new(),
            has_text: false,
            n_calls: 0,
            used: HashMap::new(),
            told: Totals::default(),
            refused: None,
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
        let is_main = event["parent_tool_use_id"].is_null();
        match event["type"].as_str().unwrap_or("") {
            "system" => system(event, events),
            "stream_event" if is_main => self.piece(&event["event"], events),
            "assistant" => self.message(event, is_main, events),
            "user" => results(event, events),
            "rate_limit_event" => self.rate_limit(&event["rate_limit_info"], events),
            "result" => self.result(event, events),
            _ => {}
        }
    }

    fn piece(&mut self, event: &Value, events: &mut Vec<ToolEvent>) {
        match event["type"].as_str().unwrap_or("") {
            "message_start" => event["message"]["id"].as_str().unwrap_or("").clone_into(&mut self.current),
            "message_delta" => {
                let message = self.current.clone();
                self.count(&message, &event["usage"], events);
            }
            "content_block_start" if event["content_block"]["type"] == "text" && self.has_text => {
                events.push(ToolEvent::Text("\n\n".to_owned()));
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                if let Some(text) = delta["text"].as_str().filter(|text| !text.is_empty()) {
                    self.has_text = true;
                    events.push(ToolEvent::Text(text.to_owned()));
                } else if let Some(text) = delta["thinking"].as_str().filter(|text| !text.is_empty()) {
                    events.push(ToolEvent::Thinking(text.to_owned()));
                } else {
                    return;
                }
                self.streamed.insert(self.current.clone());
            }
            _ => {}
        }
    }

    fn message(&mut self, event: &Value, is_main: bool, events: &mut Vec<ToolEvent>) {
        let message = &event["message"];
        let id = message["id"].as_str().unwrap_or("");
        // The tool's own words about an error stand in the place of an answer.
        let is_synthetic = message["model"] == "<synthetic>" || !event["error"].is_null();
        let is_new = is_main && !self.streamed.contains(id);
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str().unwrap_or("") {
                "text" => {
                    let text = block["text"].as_str().unwrap_or("");
                    if is_synthetic {
                        events.push(ToolEvent::Notice(text.to_owned()));
                    } else if is_new && !text.is_empty() {
                        let between = if self.has_text { "\n\n" } else { "" };
                        events.push(ToolEvent::Text(format!("{between}{text}")));
                        self.has_text = true;
                    }
                }
                "thinking" if is_new => {
                    events.push(ToolEvent::Thinking(block["thinking"].as_str().unwrap_or("").to_owned()));
                }
                "tool_use" => {
                    self.n_calls += 1;
                    events.push(ToolEvent::ToolCall {
                        id: block["id"].as_str().unwrap_or("").to_owned(),
                        name: block["name"].as_str().unwrap_or("").to_owned(),
                        input: block["input"].clone(),
                    });
                }
                _ => {}
            }
        }
        // The end of a streamed message brings its whole usage.
        if !is_synthetic && id != self.current {
            self.count(id, &message["usage"], events);
        }
    }

    /// Adds up what the messages of this run say; the `result` line knows better, but comes at the end.
    fn count(&mut self, message: &str, usage: &Value, events: &mut Vec<ToolEvent>) {
        if usage.is_null() {
            return;
        }
        // Later words about the same message only add to the earlier ones.
        let used = self.used.entry(message.to_owned()).or_default();
        *used = used.max(totals_of_usage(usage));
        let sum = self.used.values().fold(Totals::default(), |sum, used| sum.plus(*used));
        if sum != self.told {
            self.told = sum;
            events.push(ToolEvent::Usage(sum.unpriced()));
        }
    }

    fn rate_limit(&mut self, info: &Value, events: &mut Vec<ToolEvent>) {
        let limit = RateLimit {
            rejected: info["status"] == "rejected",
            window: info["rateLimitType"].as_str().map(str::to_owned),
            utilization: info["utilization"].as_f64(),
            resets_at: info["resetsAt"]
                .as_i64()
                .map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000))),
        };
        self.refused = limit.rejected.then(|| limit.clone());
        events.push(ToolEvent::RateLimit(limit));
    }

    fn result(&mut self, result: &Value, events: &mut Vec<ToolEvent>) {
        events.push(ToolEvent::Usage(self.final_usage(result)));
        let denied: Vec<_> =
            result["permission_denials"].as_array().into_iter().flatten().map(|d| d["tool_name"].clone()).collect();
        if !denied.is_empty() {
            let names: Vec<_> = denied.iter().filter_map(Value::as_str).collect();
            events.push(ToolEvent::Notice(format!("denied by the machine's settings: {}", names.join(", "))));
        }
        let text = result["result"].as_str().unwrap_or("").to_owned();
        let structured = Some(result["structured_output"].clone()).filter(|value| !value.is_null());
        let data = structured.or_else(|| (!denied.is_empty()).then(|| json!({ "permission_denials": denied })));
        let failure = failure::of_result(result, self.refused.as_ref()).or_else(|| {
            let is_empty = text.trim().is_empty() && data.is_none() && !self.has_text && self.n_calls == 0;
            is_empty.then(|| Failure::new(FailureClass::EmptyOutput, "Claude Code said it was done and gave nothing"))
        });
        events.push(ToolEvent::Final(Final {
            // In a failure these are the tool's words about it, not an answer.
            text: if failure.is_none() { text } else { String::new() },
            data,
            turns: result["num_turns"].as_u64().and_then(|n| u32::try_from(n).ok()),
            failure,
        }));
    }

    /// `modelUsage` is right where `usage` is all zeros (after a fallback, on a budget stop).
    fn final_usage(&self, result: &Value) -> Usage {
        let run = totals_of_usage(&result["usage"]).max(self.told);
        let models = result["modelUsage"].as_object().filter(|models| !models.is_empty());
        let Some((cost, models)) = result["total_cost_usd"].as_f64().zip(models) else {
            return run.unpriced();
        };
        let mut counted = models.values().fold(Totals::default(), |sum, model| sum.plus(totals_of_model(model)));
        counted.cost_microusd = (cost * 1e6).round() as u64;
        self.ledger
            .settle(result["session_id"].as_str().unwrap_or(""), counted, run)
            .map_or_else(|| run.unpriced(), Totals::usage)
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
    }
}

fn system(event: &Value, events: &mut Vec<ToolEvent>) {
    match event["subtype"].as_str().unwrap_or("") {
        "init" => events.push(ToolEvent::Session {
            id: event["session_id"].as_str().unwrap_or("").to_owned(),
            model: event["model"].as_str().map(str::to_owned),
            version: event["claude_code_version"].as_str().map(str::to_owned),
        }),
        "api_retry" => events.push(ToolEvent::Notice(format!(
            "the provider answered {}; try {} of {} follows in {} ms",
            event["error_status"].as_u64().map_or_else(|| "nothing".to_owned(), |status| status.to_string()),
            event["attempt"],
            event["max_retries"],
            event["retry_delay_ms"].as_f64().unwrap_or(0.0).round(),
        ))),
        _ => {}
    }
}

fn results(event: &Value, events: &mut Vec<ToolEvent>) {
    for block in event["message"]["content"].as_array().into_iter().flatten() {
        if block["type"] == "tool_result" {
            events.push(ToolEvent::ToolResult {
                id: block["tool_use_id"].as_str().unwrap_or("").to_owned(),
                is_error: block["is_error"] == true,
                text: content_text(&block["content"]),
            });
        }
    }
}

/// The text of a result, which is a string or a list of blocks.
fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<_> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

fn totals_of_usage(usage: &Value) -> Totals {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    Totals {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cache_read_tokens: count("cache_read_input_tokens"),
        cache_write_tokens: count("cache_creation_input_tokens"),
        cost_microusd: 0,
    }
}

fn totals_of_model(model: &Value) -> Totals {
    let count = |name: &str| model[name].as_u64().unwrap_or(0);
    Totals {
        input_tokens: count("inputTokens"),
        output_tokens: count("outputTokens"),
        cache_read_tokens: count("cacheReadInputTokens"),
        cache_write_tokens: count("cacheCreationInputTokens"),
        cost_microusd: 0,
    }
}

#[cfg(test)]
mod tests;
