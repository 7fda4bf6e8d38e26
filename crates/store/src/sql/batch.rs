//! Batches: rows of cells, written straight into one JSON text.
//!
//! A batch is the base case of every write on the hot path: one statement for all rows of a kind. Absent
//! cells at the end of a row are left out, which both databases read as null.

use std::fmt::Write as _;

use serde::Serialize;
use swarm_model::change::{AttemptStatus, EventKind};
use swarm_model::task::WaitReason;
use swarm_model::{
    EventId, FailureClass, GrantId, KeyId, RunId, TaskId, TaskNumber, TaskStatus, Timestamp, TokenId, ToolName, UserId,
    WorkerId, WorkflowId,
};

use crate::error::StoreError;
use crate::sql::value::Value;

/// A batch in the making.
#[derive(Debug)]
pub(crate) struct Batch {
    json: String,
    rows: u64,
    cells: usize,
    nulls: usize,
}

/// Appends a row of these cells.
macro_rules! push_row {
    ($batch:expr; $($cell:expr),+ $(,)?) => {{
        let batch: &mut $crate::sql::batch::Batch = &mut $batch;
        batch.begin_row();
        $(batch.cell(&$cell);)+
        batch.end_row();
    }};
}

pub(crate) use push_row;

impl Batch {
    pub(crate) fn new() -> Self {
        Self { json: "[".to_owned(), rows: 0, cells: 0, nulls: 0 }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn begin_row(&mut self) {
        if self.rows > 0 {
            self.json.push(',');
        }
        self.json.push('[');
        self.rows += 1;
        self.cells = 0;
        self.nulls = 0;
    }

    pub(crate) fn cell<C: Cell + ?Sized>(&mut self, cell: &C) {
        if cell.is_null() {
            self.nulls += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.nulls) {
            self.separate();
            self.json.push_str("null");
        }
        self.separate();
        cell.write(&mut self.json);
    }

    pub(crate) fn end_row(&mut self) {
        self.json.push(']');
    }

    fn separate(&mut self) {
        if self.cells > 0 {
            self.json.push(',');
        }
        self.cells += 1;
    }

    /// The whole batch as an argument.
    pub(crate) fn into_value(mut self) -> Value {
        self.json.push(']');
        Value::Text(Some(self.json))
    }
}

/// A batch of one column.
pub(crate) fn column<C: Cell>(cells: impl IntoIterator<Item = C>) -> Batch {
    let mut batch = Batch::new();
    for cell in cells {
        push_row!(batch; cell);
    }
    batch
}

/// JSON text of a value that is kept as such.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Encode(error.into()))
}

/// Something that can be a cell.
pub(crate) trait Cell {
    fn is_null(&self) -> bool {
        false
    }

    fn write(&self, json: &mut String);
}

impl<C: Cell> Cell for Option<C> {
    fn is_null(&self) -> bool {
        self.is_none()
    }

    fn write(&self, json: &mut String) {
        if let Some(cell) = self {
            cell.write(json);
        }
    }
}

impl<C: Cell + ?Sized> Cell for &C {
    fn is_null(&self) -> bool {
        (**self).is_null()
    }

    fn write(&self, json: &mut String) {
        (**self).write(json);
    }
}

impl Cell for str {
    fn write(&self, json: &mut String) {
        json.push('"');
        let mut clean = 0;
        for (at, byte) in self.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            json.push_str(&self[clean..at]);
            clean = at + 1;
            match byte {
                b'"' => json.push_str("\\\""),
                b'\\' => json.push_str("\\\\"),
                b'\n' => json.push_str("\\n"),
                b'\r' => json.push_str("\\r"),
                b'\t' => json.push_str("\\t"),
                // PostgreSQL's text has no NUL, so that neither database gets one.
                0 => json.push('\u{fffd}'),
                control => number(json, format_args!("\\u{control:04x}")),
            }
        }
        json.push_str(&self[clean..]);
        json.push('"');
    }
}

impl Cell for String {
    fn write(&self, json: &mut String) {
        self.as_str().write(json);
    }
}

/// Writing into a `String` cannot fail.
fn number(json: &mut String, text: std::fmt::Arguments<'_>) {
    let _written = json.write_fmt(text);
}

macro_rules! number_cells {
    ($($number:ty),+) => {
        $(impl Cell for $number {
            fn write(&self, json: &mut String) {
                number(json, format_args!("{self}"));
            }
        })+
    };
}

number_cells!(i64, u64, u32, u8, bool);

macro_rules! id_cells {
    ($($id:ident),+) => {
        $(impl Cell for $id {
            fn write(&self, json: &mut String) {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                json.push('"');
                json.push_str(self.as_uuid().hyphenated().encode_lower(&mut text));
                json.push('"');
            }
        })+
    };
}

id_cells!(GrantId, KeyId, RunId, TaskId, TokenId, UserId, WorkerId, WorkflowId);

macro_rules! name_cells {
    ($($name:ident),+) => {
        $(impl Cell for $name {
            fn write(&self, json: &mut String) {
                self.as_str().write(json);
            }
        })+
    };
}

name_cells!(AttemptStatus, EventKind, FailureClass, TaskStatus, ToolName, WaitReason);

impl Cell for Timestamp {
    fn write(&self, json: &mut String) {
        self.as_micros().write(json);
    }
}

impl Cell for TaskNumber {
    fn write(&self, json: &mut String) {
        self.0.write(json);
    }
}

impl Cell for EventId {
    fn write(&self, json: &mut String) {
        self.0.write(json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(batch: Batch) -> String {
        match batch.into_value() {
            Value::Text(Some(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn absent_cells_at_the_end_are_left_out() {
        let mut batch = Batch::new();
        push_row!(batch; 1_i64, None::<i64>, "a", None::<i64>);
        push_row!(batch; None::<i64>, None::<i64>);
        assert_eq!(text(batch), r#"[[1,null,"a"],[]]"#);
        assert_eq!(text(Batch::new()), "[]");
    }

    #[test]
    fn any_text_stays_json_and_no_nul_gets_in() {
        for said in ["", "plain", "\"\\\n\r\t\u{1}\u{7f}", "Grüße, 世界 🌍", "a\0b"] {
            let read: Vec<Vec<String>> = serde_json::from_str(&text(column([said]))).unwrap();
            assert_eq!(read, [[said.replace('\0', "\u{fffd}")]], "{said:?}");
        }
    }
}
