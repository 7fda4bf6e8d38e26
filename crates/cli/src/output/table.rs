//! Tables without lines, and lists of names with values: aligned, as wide as the terminal at most.

use anstyle::{AnsiColor, Color as AnyColor, Effects, Style};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, presets};

use crate::readable::DIM;

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    inner: comfy_table::Table,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        // Styles are always written; the stream takes them away where they do not belong.
        inner.load_style(presets::NOTHING).enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_header(columns.iter().map(|name| Cell::new(name).add_attribute(Attribute::Dim)));
        for column in inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { inner }
    }

    /// Aligns a column of numbers.
    pub(crate) fn numbers(mut self, column: usize) -> Self {
        if let Some(column) = self.inner.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.inner.add_row(cells.into_iter().collect::<Vec<_>>());
    }

    /// The table as text, or `nothing` where it has no row.
    pub(crate) fn or(self, nothing: &str) -> String {
        if self.inner.is_empty() {
            return format!("{DIM}{nothing}{DIM:#}");
        }
        let drawn = self.inner.to_string();
        drawn.lines().map(without_tail).collect::<Vec<_>>().join("\n")
    }
}

/// The line without blanks at its end, also where they stand between styles.
fn without_tail(line: &str) -> String {
    let (mut line, mut styles) = (line.trim_end(), String::new());
    while let Some((before, style)) = line.rsplit_once("\x1b[").filter(|_| line.ends_with('m')) {
        if !style[..style.len() - 1].chars().all(|c| c.is_ascii_digit() || c == ';') {
            break;
        }
        styles = format!("\x1b[{style}{styles}");
        line = before.trim_end();
    }
    format!("{line}{styles}")
}

/// A cell in a colour.
pub(crate) fn styled(text: impl ToString, style: Style) -> Cell {
    let mut cell = Cell::new(text);
    if let Some(AnyColor::Ansi(color)) = style.get_fg_color() {
        cell = cell.fg(match color {
            AnsiColor::Red => Color::DarkRed,
            AnsiColor::Green => Color::DarkGreen,
            AnsiColor::Yellow => Color::DarkYellow,
            AnsiColor::Cyan => Color::DarkCyan,
            _ => Color::Reset,
        });
    }
    if style.get_effects().contains(Effects::DIMMED) {
        cell = cell.add_attribute(Attribute::Dim);
    }
    if style.get_effects().contains(Effects::BOLD) {
        cell = cell.add_attribute(Attribute::Bold);
    }
    cell
}

/// Names with values, one a line, the values below each other.
#[derive(Debug, Default)]
pub(crate) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    pub(crate) fn fact(&mut self, name: &'static str, value: impl Into<String>) -> &mut Self {
        self.0.push((name, value.into()));
        self
    }

    /// A fact that may not be there.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<impl Into<String>>) -> &mut Self {
        if let Some(value) = value {
            self.fact(name, value);
        }
        self
    }

    pub(crate) fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = self.0.iter().map(|(name, value)| {
            let value = value.trim_end().replace('\n', &format!("\n{:width$}  ", ""));
            format!("{DIM}{name:width$}{DIM:#}  {value}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_in_blanks() {
        assert_eq!(without_tail("a \x1b[2mb  \x1b[0m  "), "a \x1b[2mb\x1b[0m");
        assert_eq!(without_tail("a  \x1b[2m  \x1b[0m"), "a\x1b[2m\x1b[0m");
        assert_eq!(without_tail("5 m"), "5 m");
        assert_eq!(without_tail(""), "");
    }
}
