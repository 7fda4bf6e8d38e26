//! Lines of a log, the rows that they are broken into, and the bounds of what is kept.

use swarm_model::Timestamp;
use swarm_model::log::LogEntry;
use swarm_model::task::Usage;

use super::Hit;
use super::ansi::{Style, Styled};
use crate::strings;
use crate::view::words;

/// How much a log keeps in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Lines.
    pub lines: usize,
    /// Bytes of text.
    pub bytes: usize,
}

impl Bounds {
    /// The page of a task.
    pub const PAGE: Self = Self { lines: 20_000, bytes: 8 << 20 };
    /// The few lines in a card.
    pub const CARD: Self = Self { lines: 40, bytes: 64 << 10 };
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Output of a command.
    Output,
    /// Its error output.
    Error,
    /// The model's answer.
    Answer,
    /// The model's reasoning.
    Thinking,
    /// A call of a tool by the model.
    Call,
    /// What the call gave back.
    CallResult,
    /// What the call gave back, and it was an error.
    CallError,
    /// Tokens, limits, remarks of the worker.
    Remark,
    /// Where an attempt begins.
    Attempt,
}

/// A line before it is broken into rows.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The number of its entry; 0 where it stands for none.
    pub(super) seq: u64,
    pub(super) at: Option<Timestamp>,
    pub(super) kind: Kind,
    /// Whether it is the first one of its entry.
    pub(super) opens: bool,
    pub(super) text: Styled,
    /// The call that it is, or belongs to.
    pub(super) call: Option<String>,
    pub(super) rows: usize,
}

/// A piece of a row with one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text, without control characters.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Whether it was looked for.
    pub hit: Hit,
}

/// One row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line, counted from the first one ever; with `part` it names the row.
    pub line: u64,
    /// Which row of its line.
    pub part: usize,
    /// The number, where an entry begins here.
    pub seq: Option<u64>,
    /// When, likewise.
    pub at: Option<Timestamp>,
    /// What it is.
    pub kind: Kind,
    /// The call it is, and whether that stands open.
    pub call: Option<(String, bool)>,
    /// A word on the right: what the call gave back.
    pub aside: String,
    /// The text.
    pub pieces: Vec<Piece>,
}

/// What an entry says about tokens and cost; the worker's own words where it has no figures.
pub(super) fn usage(entry: &LogEntry) -> Option<String> {
    let Some(usage) = entry.data.clone().and_then(|data| serde_json::from_value::<Usage>(data).ok()) else {
        return Some(entry.text.clone());
    };
    let parts = [
        usage.input_tokens.map(|n| strings::log::tokens_in(&words::thousands(n))),
        usage.output_tokens.map(|n| strings::log::tokens_out(&words::thousands(n))),
        usage.cache_read_tokens.map(|n| strings::log::tokens_cached(&words::thousands(n))),
        usage.cost_microusd.map(words::money),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| strings::log::usage(&parts.join(" · ")))
}

impl Line {
    pub(super) fn of(entry: &LogEntry, kind: Kind, opens: bool, text: Styled) -> Self {
        Self { seq: entry.seq, at: Some(entry.at), kind, opens, text, call: None, rows: 0 }
    }
}
