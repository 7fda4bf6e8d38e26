//! What success prints: objects as JSON where that was asked for, words and tables for people elsewhere.
//!
//! Data goes to standard output, remarks to standard error. Colours are written always and taken away by the
//! stream where it is no terminal.

pub(crate) mod table;

use std::io::Write as _;

use serde::Serialize;

use crate::failure::Failure;
use crate::readable::DIM;

/// Where and how success is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints an object: as JSON, or as `words` says.
    pub(crate) fn object<T: Serialize>(self, object: &T, words: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let text =
            if self.json { serde_json::to_string_pretty(object).map_err(Failure::fault)? } else { words(object) };
        self.text(&text)
    }

    /// Prints one of a stream of objects: as a line of JSON, or not at all.
    pub(crate) fn json_line<T: Serialize>(self, object: &T) -> Result<(), Failure> {
        if self.json { self.text(&serde_json::to_string(object).map_err(Failure::fault)?) } else { Ok(()) }
    }

    /// Prints text, with an end of line where it has none.
    #[expect(clippy::unused_self, reason = "whoever prints holds an output, also where text is text either way")]
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        Ok(stdout.flush()?)
    }

    /// A remark for people, beside the data.
    pub(crate) fn remark(self, text: &str) {
        if !self.json {
            // Nobody misses a remark that nobody can read.
            writeln!(anstream::stderr(), "{DIM}{text}{DIM:#}").ok();
        }
    }
}
