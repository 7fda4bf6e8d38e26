//! Rows to be written, all of a kind in one statement.
//!
//! They are the base case of every write on the hot path. A statement says where they go with the word `ROWS`: on
//! PostgreSQL they come out of one array for each column, on SQLite they are bound one by one, because there a list
//! of bound values costs half of what unpacking an argument does.

use std::fmt::Write as _;

use crate::sql::value::Value;

/// What stands in a statement for its rows.
pub(crate) const MARK: &str = "ROWS";

/// How many rows one statement of SQLite takes. A statement of each size is prepared once and kept, and 256 rows of
/// our widest table stay far below the 32,766 arguments that SQLite allows.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Rows of the same cells.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    width: usize,
    cells: Vec<Value>,
}

/// A row of these cells.
macro_rules! cells {
    ($($cell:expr),+ $(,)?) => { [$($crate::sql::value::Value::from($cell)),+] };
}

pub(crate) use cells;

impl Rows {
    /// Room for `n` rows.
    pub(crate) fn of<const WIDTH: usize>(rows: impl ExactSizeIterator<Item = [Value; WIDTH]>) -> Self {
        let mut cells = Vec::with_capacity(rows.len() * WIDTH);
        cells.extend(rows.flatten());
        Self { width: WIDTH, cells }
    }

    /// One more row, of as many cells as those before it.
    pub(crate) fn push<const WIDTH: usize>(&mut self, row: [Value; WIDTH]) {
        debug_assert!(self.cells.is_empty() || self.width == WIDTH, "rows of one width");
        self.width = WIDTH;
        self.cells.extend(row);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// In portions that one statement of SQLite takes: how many rows, and their cells.
    pub(crate) fn portions(self) -> impl Iterator<Item = (usize, Vec<Value>)> {
        let (width, mut left) = (self.width, self.len());
        let mut cells = self.cells.into_iter();
        std::iter::from_fn(move || {
            let rows = *SIZES.iter().find(|size| **size <= left)?;
            left -= rows;
            Some((rows, cells.by_ref().take(rows * width).collect()))
        })
    }

    /// A list for each column.
    pub(crate) fn columns(self) -> Vec<Vec<Value>> {
        let (width, len) = (self.width, self.len());
        let mut columns: Vec<_> = (0..width).map(|_| Vec::with_capacity(len)).collect();
        for (place, cell) in self.cells.into_iter().enumerate() {
            columns[place % width].push(cell);
        }
        columns
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }
}

/// The text for `rows` rows of `width` bound values.
pub(crate) fn with_values(text: &str, rows: usize, width: usize) -> String {
    let row = format!("({}?)", "?,".repeat(width - 1));
    text.replacen(MARK, &format!("VALUES {}{row}", format!("{row},").repeat(rows - 1)), 1)
}

/// The text for arrays of these types.
pub(crate) fn with_arrays(text: &str, types: impl IntoIterator<Item = &'static str>) -> String {
    let mut arrays = String::new();
    for (place, of) in types.into_iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        // Writing into a `String` cannot fail.
        let _written = write!(arrays, "{separator}${}::{of}[]", place + 1);
    }
    text.replacen(MARK, &format!("SELECT * FROM UNNEST({arrays})"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Rows {
        let numbers: Vec<_> = (0..n).collect();
        Rows::of(numbers.into_iter().map(|number| cells![number, "a"]))
    }

    #[test]
    fn portions_hold_every_row_once_and_in_order() {
        for n in [0, 1, 3, 4, 5, 63, 255, 256, 1000] {
            let mut seen = Vec::new();
            for (rows, cells) in rows(n).portions() {
                assert!(SIZES.contains(&rows));
                assert_eq!(cells.len(), rows * 2);
                seen.extend(cells.into_iter().step_by(2));
            }
            let expected: Vec<_> = (0..n).map(Value::from).collect();
            assert_eq!(format!("{seen:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn columns_are_rows_turned_round() {
        let columns = rows(2).columns();
        assert_eq!(format!("{columns:?}"), r#"[[Int(Some(0)), Int(Some(1))], [Text(Some("a")), Text(Some("a"))]]"#);
        assert!(Rows::default().columns().is_empty());
    }

    #[test]
    fn the_mark_becomes_values_or_arrays() {
        let text = "INSERT INTO events (id, detail)\nROWS";
        assert_eq!(with_values(text, 2, 2), "INSERT INTO events (id, detail)\nVALUES (?,?),(?,?)");
        let arrays = with_arrays(text, ["BIGINT", "TEXT"]);
        assert_eq!(arrays, "INSERT INTO events (id, detail)\nSELECT * FROM UNNEST($1::BIGINT[], $2::TEXT[])");
    }
}
