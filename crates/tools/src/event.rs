//! The one normal form of what tools say, and how it becomes lines of a log.

use serde_json::{Value, json};
use swarm_model::log::{LogStream, MAX_ENTRY_BYTES};
use swarm_model::task::Usage;
use swarm_model::{FailureClass, Timestamp};

/// One thing that a tool says while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolEvent {
    /// A piece of the answer. Pieces follow each other without anything between them.
    Text(String),
    /// A piece of the model's reasoning, likewise.
    Thinking(String),
    /// The model calls a tool.
    ToolCall {
        /// The call's id, which its result quotes.
        id: String,
        /// The tool's name.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// What a call gave back.
    ToolResult {
        /// The call's id.
        id: String,
        /// Whether it failed.
        is_error: bool,
        /// What came back.
        text: String,
    },
    /// Tokens and cost of this run so far.
    Usage(Usage),
    /// The state of a limit of the account.
    RateLimit(RateLimit),
    /// The tool's own session, and which model and version answer.
    Session {
        /// To go on with later.
        id: String,
        /// The model.
        model: Option<String>,
        /// The tool's version.
        version: Option<String>,
    },
    /// Which model answers, where there is no session.
    Model(String),
    /// A line of standard output, without its end.
    Stdout(String),
    /// A line of standard error, without its end.
    Stderr(String),
    /// A remark for people: a retry, a denied permission, a limit reached.
    Notice(String),
    /// How far the tool says it is, in percent.
    Progress(u8),
    /// The end as the tool tells it. The last one decides.
    Final(Final),
}

/// A limit of the account.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RateLimit {
    /// Whether requests are refused now.
    pub rejected: bool,
    /// Which window, in the provider's words.
    pub window: Option<String>,
    /// How much of it is used, from 0 to 1.
    pub utilization: Option<f64>,
    /// When it starts anew.
    pub resets_at: Option<Timestamp>,
}

/// The end as the tool tells it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Final {
    /// The answer; empty where the pieces are the answer.
    pub text: String,
    /// A structured answer.
    pub data: Option<Value>,
    /// Turns of the conversation.
    pub turns: Option<u32>,
    /// Why it is none.
    pub failure: Option<Failure>,
}

/// Why a run gave no result.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The kind.
    pub class: FailureClass,
    /// One or two sentences for people.
    pub error: String,
    /// When a limit of the account ends.
    pub resets_at: Option<Timestamp>,
}

impl Failure {
    /// A failure without a known end.
    pub fn new(class: FailureClass, error: impl Into<String>) -> Self {
        Self { class, error: error.into(), resets_at: None }
    }
}

impl Final {
    /// The end of a run that gave no result.
    pub(crate) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// A log entry before it has a number and a time.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPiece {
    /// Where it came from.
    pub stream: LogStream,
    /// At most [`MAX_ENTRY_BYTES`].
    pub text: String,
    /// Structured part; of an event in several pieces the first one has it.
    pub data: Option<Value>,
}

impl ToolEvent {
    /// The entries of the log that this event becomes: none for `Progress` and `Final`, several for long text.
    pub fn into_log(self) -> Vec<LogPiece> {
        match self {
            Self::Text(text) => pieces(LogStream::Text, text, None),
            Self::Thinking(text) => pieces(LogStream::Thinking, text, None),
            Self::ToolCall { id, name, input } => {
                let input = bounded(input);
                let text = format!("{name} {}", head(&input.to_string(), 400));
                pieces(LogStream::ToolCall, text, Some(json!({ "id": id, "name": name, "input": input })))
            }
            Self::ToolResult { id, is_error, text } => {
                pieces(LogStream::ToolResult, text, Some(json!({ "id": id, "is_error": is_error })))
            }
            Self::Usage(usage) => {
                let text = usage_sentence(&usage);
                pieces(LogStream::Usage, text, serde_json::to_value(usage).ok())
            }
            Self::RateLimit(limit) => {
                let data = json!({
                    "rejected": limit.rejected,
                    "window": limit.window,
                    "utilization": limit.utilization,
                    "resets_at": limit.resets_at,
                });
                pieces(LogStream::RateLimit, limit.sentence(), Some(data))
            }
            Self::Session { id, model, version } => {
                let text =
                    format!("session {id}{}", model.as_deref().map(|m| format!(" with {m}")).unwrap_or_default());
                pieces(LogStream::System, text, Some(json!({ "session": id, "model": model, "version": version })))
            }
            Self::Model(model) => {
                pieces(LogStream::System, format!("{model} answers"), Some(json!({ "model": model })))
            }
            Self::Stdout(line) => pieces(LogStream::Stdout, line, None),
            Self::Stderr(line) => pieces(LogStream::Stderr, line, None),
            Self::Notice(text) => pieces(LogStream::System, text, None),
            Self::Progress(_) | Self::Final(_) => Vec::new(),
        }
    }

    /// Bytes of text in this event: what counts against a limit on output in a conversation.
    pub(crate) fn text_bytes(&self) -> u64 {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::ToolResult { text, .. } => text.len() as u64,
            _ => 0,
        }
    }
}

impl RateLimit {
    fn sentence(&self) -> String {
        let window = self.window.as_deref().unwrap_or("account");
        let state = if self.rejected { "is used up" } else { "holds" };
        let reset = self.resets_at.map(|at| format!(", starts anew at {at}")).unwrap_or_default();
        format!("the limit {window} {state}{reset}")
    }
}

fn usage_sentence(usage: &Usage) -> String {
    let count = |n: Option<u64>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    format!("{} tokens in, {} out", count(usage.input_tokens), count(usage.output_tokens))
}

/// Cuts text into pieces that fit, between characters.
fn pieces(stream: LogStream, text: String, data: Option<Value>) -> Vec<LogPiece> {
    if text.len() <= MAX_ENTRY_BYTES {
        return vec![LogPiece { stream, text, data }];
    }
    let mut cut = Vec::new();
    let (mut rest, mut data) = (text.as_str(), data);
    while !rest.is_empty() {
        let piece = head(rest, MAX_ENTRY_BYTES);
        cut.push(LogPiece { stream, text: piece.to_owned(), data: data.take() });
        rest = &rest[piece.len()..];
    }
    cut
}

/// The first bytes of a text, cut between characters.
pub(crate) fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Arguments that fit into an entry; longer ones are shown by their beginning.
fn bounded(input: Value) -> Value {
    let text = input.to_string();
    if text.len() <= MAX_ENTRY_BYTES / 2 {
        return input;
    }
    json!({ "cut": true, "bytes": text.len(), "begins": head(&text, MAX_ENTRY_BYTES / 4) })
}

#[cfg(test)]
mod tests;
