//! What command-line agents write: objects of JSON line by line, and words for people on standard error.
//!
//! A line is parsed as JSON and never matched by its beginning. What is no object was written by something
//! else, and is shown as it came.

use std::collections::VecDeque;

use serde_json::Value;

use crate::event::{ToolEvent, head};
use crate::framer::{Framed, Framer, Overlong, lossy};

/// No line of a stream is longer than this.
const MAX_LINE: usize = 16 * 1024 * 1024;
const MAX_ERROR_LINE: usize = 16 * 1024;
/// Lines of standard error that are kept to explain a failure, and how much of each.
const KEPT_LINES: usize = 8;
const KEPT_BYTES: usize = 400;

/// A line of standard output.
#[derive(Debug)]
pub(super) enum Line {
    /// An object: an event of the tool.
    Object(Value),
    /// Something else, as the event that shows it.
    Foreign(ToolEvent),
}

/// Both streams of a tool.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Framer,
    stderr: Framer,
    last_errors: VecDeque<String>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            stdout: Framer::new(MAX_LINE, Overlong::Skip),
            stderr: Framer::new(MAX_ERROR_LINE, Overlong::Cut),
            last_errors: VecDeque::new(),
        }
    }

    /// The lines that a chunk of standard output completes; without a chunk, what stands at its end.
    pub(super) fn lines(&mut self, chunk: Option<&[u8]>) -> Vec<Line> {
        let mut lines = Vec::new();
        let take = |framed: Framed<'_>| lines.extend(understood(&framed));
        match chunk {
            Some(chunk) => self.stdout.push(chunk, take),
            None => self.stdout.finish(take),
        }
        lines
    }

    /// Passes on the lines of standard error, but for those that say nothing to anybody.
    pub(super) fn errors(
        &mut self,
        chunk: Option<&[u8]>,
        events: &mut Vec<ToolEvent>,
        is_noise: impl Fn(&str) -> bool,
    ) {
        let kept = &mut self.last_errors;
        let take = |framed: Framed<'_>| {
            if let Framed::Line(line) = framed {
                let line = lossy(line);
                if is_noise(&line) {
                    return;
                }
                if !line.trim().is_empty() {
                    kept.push_back(head(&line, KEPT_BYTES).to_owned());
                    kept.drain(..kept.len().saturating_sub(KEPT_LINES));
                }
                events.push(ToolEvent::Stderr(line));
            }
        };
        match chunk {
            Some(chunk) => self.stderr.push(chunk, take),
            None => self.stderr.finish(take),
        }
    }

    /// The last lines of standard error.
    pub(super) fn last_errors(&self) -> impl Iterator<Item = &str> {
        self.last_errors.iter().map(String::as_str)
    }
}

fn understood(framed: &Framed<'_>) -> Option<Line> {
    let line = match framed {
        Framed::Line(line) => *line,
        Framed::Skipped(n) => {
            return Some(Line::Foreign(ToolEvent::Notice(format!("a line of {n} bytes was left out"))));
        }
    };
    match serde_json::from_slice::<Value>(line) {
        Ok(object @ Value::Object(_)) => Some(Line::Object(object)),
        Ok(_) | Err(_) if line.trim_ascii().is_empty() => None,
        Ok(_) | Err(_) => Some(Line::Foreign(ToolEvent::Stdout(lossy(line)))),
    }
}
