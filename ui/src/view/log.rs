//! A task's log as a page shows it: lines under a fixed height, of which only a window is drawn.
//!
//! Pieces of a model's answer flow together into lines; what a call of a tool gave back folds under the call. Old
//! lines leave when there are too many, and the page says so. Invariant: `total_rows` is the sum of the heights of
//! all lines, so that a place on the page is a row and the other way round.

pub mod ansi;
mod calls;
mod find;
mod row;
pub mod wrap;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use swarm_model::log::{LogEntry, LogStream};

use ansi::{Reader, Styled};
use calls::{Call, Named};
pub use find::{Find, Hit};
pub use row::{Bounds, Kind, Piece, Row};
use row::{Line, usage};

use crate::strings;

/// The log of one task.
#[derive(Debug)]
pub struct LogView {
    bounds: Bounds,
    columns: Option<usize>,
    lines: VecDeque<Line>,
    /// Lines that left; the count of the first one that is still here.
    left: u64,
    bytes: usize,
    total_rows: usize,
    /// The number of the last entry.
    last_seq: u64,
    /// Entries before this number are not here.
    first_seq: u64,
    attempt: u32,
    readers: HashMap<LogStream, Reader>,
    /// The stream whose last line is still open, and how many ends of line it has said since.
    flowing: Option<(LogStream, usize)>,
    calls: HashMap<String, Call>,
    open: HashSet<String>,
    open_all: bool,
}

impl LogView {
    /// An empty log that begins after entry `after`.
    pub fn new(bounds: Bounds, after: u64) -> Self {
        Self {
            bounds,
            columns: None,
            lines: VecDeque::new(),
            left: 0,
            bytes: 0,
            total_rows: 0,
            last_seq: after,
            first_seq: after + 1,
            attempt: 0,
            readers: HashMap::new(),
            flowing: None,
            calls: HashMap::new(),
            open: HashSet::new(),
            open_all: false,
        }
    }

    /// The number of the last entry that came.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// How many entries before the first line here exist and are not shown.
    pub fn missing_before(&self) -> u64 {
        self.first_seq - 1
    }

    /// Rows of the whole log.
    pub fn total_rows(&self) -> usize {
        self.total_rows
    }

    /// Whether there is a call that could be folded.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether every call stands open.
    pub fn is_open_all(&self) -> bool {
        self.open_all
    }

    /// Takes entries in; those that are here already are passed over. Returns how many rows left at the top.
    pub fn extend(&mut self, entries: Vec<LogEntry>) -> usize {
        for entry in entries {
            if entry.seq > self.last_seq {
                self.last_seq = entry.seq;
                self.push(entry);
            }
        }
        self.trim()
    }

    fn push(&mut self, entry: LogEntry) {
        if entry.attempt != self.attempt {
            if self.attempt != 0 || entry.attempt > 1 {
                self.add(Line {
                    seq: 0,
                    at: None,
                    kind: Kind::Attempt,
                    opens: false,
                    text: Styled { text: strings::log::attempt_begins(entry.attempt), styles: Vec::new() },
                    call: None,
                    rows: 0,
                });
            }
            self.attempt = entry.attempt;
            self.flowing = None;
            self.readers.clear();
        }
        match entry.stream {
            LogStream::Text => self.flow(&entry, Kind::Answer),
            LogStream::Thinking => self.flow(&entry, Kind::Thinking),
            LogStream::Stdout => self.whole(&entry, Kind::Output, None),
            LogStream::Stderr => self.whole(&entry, Kind::Error, None),
            LogStream::RateLimit | LogStream::System => self.whole(&entry, Kind::Remark, None),
            LogStream::Usage => {
                // What says nothing is not shown: a plain command uses no tokens.
                if let Some(text) = usage(&entry) {
                    self.whole(&LogEntry { text, ..entry }, Kind::Remark, None);
                }
            }
            LogStream::ToolCall => {
                let named = Named::of(&entry);
                self.calls.insert(named.id.clone(), Call::begun(entry.at));
                let headline = LogEntry { text: named.headline, ..entry };
                self.whole(&headline, Kind::Call, Some(named.id));
            }
            LogStream::ToolResult => {
                let id = calls::result_of(&entry);
                let is_error = calls::is_error(&entry);
                let call = id.as_ref().and_then(|id| self.calls.get_mut(id));
                let known = call.is_some();
                if let Some(call) = call {
                    call.ended(&entry, is_error);
                }
                let kind = if is_error { Kind::CallError } else { Kind::CallResult };
                self.whole(&entry, kind, id.filter(|_| known));
            }
        }
    }

    /// Pieces that follow each other without anything between them.
    fn flow(&mut self, entry: &LogEntry, kind: Kind) {
        let mut ends = match self.flowing {
            Some((stream, ends)) if stream == entry.stream => Some(ends),
            _ => None,
        };
        for (n, segment) in entry.text.split('\n').enumerate() {
            if n > 0 {
                ends = ends.map(|ends| ends + 1);
            }
            if segment.is_empty() {
                continue;
            }
            let styled = self.readers.entry(entry.stream).or_default().line(segment);
            match ends {
                Some(0) => self.append(styled),
                _ => {
                    for _ in 1..ends.unwrap_or(1) {
                        self.add(Line::of(entry, kind, false, Styled::default()));
                    }
                    self.add(Line::of(entry, kind, ends.is_none(), styled));
                }
            }
            ends = Some(0);
        }
        self.flowing = ends.map(|ends| (entry.stream, ends));
    }

    /// An entry that stands by itself.
    fn whole(&mut self, entry: &LogEntry, kind: Kind, call: Option<String>) {
        self.flowing = None;
        let text = entry.text.strip_suffix('\n').unwrap_or(&entry.text);
        for (n, line) in text.split('\n').enumerate() {
            let styled = self.readers.entry(entry.stream).or_default().line(line);
            self.add(Line { call: call.clone(), ..Line::of(entry, kind, n == 0, styled) });
        }
    }

    fn add(&mut self, mut line: Line) {
        line.rows = self.height(&line);
        self.total_rows += line.rows;
        self.bytes += line.text.text.len();
        self.lines.push_back(line);
    }

    fn append(&mut self, more: Styled) {
        let Some(mut line) = self.lines.pop_back() else { return };
        self.total_rows -= line.rows;
        self.bytes -= line.text.text.len();
        line.text.append(more);
        self.add(line);
    }

    fn trim(&mut self) -> usize {
        let before = self.total_rows;
        while self.lines.len() > self.bounds.lines || (self.bytes > self.bounds.bytes && self.lines.len() > 1) {
            let Some(line) = self.lines.pop_front() else { break };
            self.left += 1;
            self.total_rows -= line.rows;
            self.bytes -= line.text.text.len();
            if let (Kind::Call, Some(id)) = (line.kind, &line.call) {
                self.calls.remove(id);
            }
            self.first_seq = self.first_seq.max(line.seq + 1);
        }
        before - self.total_rows
    }

    fn is_shown(&self, line: &Line) -> bool {
        match (line.kind, &line.call) {
            (Kind::CallResult | Kind::CallError, Some(id)) => self.open_all || self.open.contains(id),
            _ => true,
        }
    }

    fn height(&self, line: &Line) -> usize {
        match self.columns {
            _ if !self.is_shown(line) => 0,
            Some(columns) => wrap::height(&line.text.text, columns),
            None => 1,
        }
    }

    fn lay_out(&mut self) {
        let heights: Vec<_> = self.lines.iter().map(|line| self.height(line)).collect();
        self.total_rows = heights.iter().sum();
        for (line, rows) in self.lines.iter_mut().zip(heights) {
            line.rows = rows;
        }
    }

    /// Breaks lines at this width, or not at all.
    pub fn set_columns(&mut self, columns: Option<usize>) {
        if self.columns != columns {
            self.columns = columns;
            self.lay_out();
        }
    }

    /// Opens a call that is folded, folds one that is open.
    pub fn toggle_call(&mut self, id: &str) {
        if !self.open.remove(id) {
            self.open.insert(id.to_owned());
        }
        self.lay_out();
    }

    /// Opens or folds every call.
    pub fn open_all(&mut self, open: bool) {
        self.open_all = open;
        self.open.clear();
        self.lay_out();
    }

    /// The rows of a window.
    pub fn rows(&self, window: Range<usize>, find: Option<&Find>) -> Vec<Row> {
        let mut rows = Vec::with_capacity(window.len());
        let mut top = 0;
        for (n, line) in self.lines.iter().enumerate() {
            let bottom = top + line.rows;
            if bottom > window.start && line.rows > 0 {
                let breaks = match self.columns {
                    Some(columns) => wrap::wrap(&line.text.text, columns),
                    None => wrap::one_row(&line.text.text),
                };
                let id = self.left + n as u64;
                for (part, range) in breaks.into_iter().enumerate() {
                    if (window.start..window.end).contains(&(top + part)) {
                        rows.push(self.row(line, id, part, range, find));
                    }
                }
            }
            top = bottom;
            if top >= window.end {
                break;
            }
        }
        rows
    }

    fn row(&self, line: &Line, id: u64, part: usize, range: Range<usize>, find: Option<&Find>) -> Row {
        let heads = part == 0 && line.opens;
        let call = match (line.kind, &line.call) {
            (Kind::Call, Some(call)) if heads => Some((call.clone(), self.open_all || self.open.contains(call))),
            _ => None,
        };
        let aside = call.as_ref().and_then(|(id, _)| self.calls.get(id)).map(Call::aside).unwrap_or_default();
        let pieces = line
            .text
            .pieces(range.start, range.end)
            .into_iter()
            .flat_map(|(at, text, style)| find::split(find, id, at, text, style))
            .collect();
        Row {
            line: id,
            part,
            seq: heads.then_some(line.seq).filter(|seq| *seq > 0),
            at: line.at.filter(|_| heads),
            kind: line.kind,
            call,
            aside,
            pieces,
        }
    }

    /// The number of the entry to which a row belongs.
    pub fn seq_at(&self, row: usize) -> u64 {
        let mut top = 0;
        let line = self.lines.iter().find(|line| {
            top += line.rows;
            top > row
        });
        line.or(self.lines.back()).map_or(self.last_seq, |line| line.seq)
    }

    /// The last rows that say something.
    pub fn tail(&self, n_rows: usize) -> Vec<Row> {
        self.rows(self.total_rows.saturating_sub(n_rows)..self.total_rows, None)
    }

    /// Looks for a text, without regard to the case of plain letters, also in what is folded.
    pub fn find(&self, text: &str) -> Find {
        let lines = self.lines.iter().enumerate().map(|(n, line)| (self.left + n as u64, line.text.text.as_str()));
        Find::new(text, lines)
    }

    /// The row of a line, which is opened where it is folded.
    pub fn reveal(&mut self, line: u64) -> Option<usize> {
        let index = usize::try_from(line.checked_sub(self.left)?).ok()?;
        let wanted = self.lines.get(index)?;
        if !self.is_shown(wanted) {
            self.open.extend(wanted.call.clone());
            self.lay_out();
        }
        Some(self.lines.iter().take(index).map(|line| line.rows).sum())
    }
}

#[cfg(test)]
mod tests;
