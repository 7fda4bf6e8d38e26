//! Where a line breaks when it is wider than the page. Letters of a fixed-width face are one column wide, East
//! Asian ones two.

use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

/// The rows of `text` at most `columns` wide, as ranges of bytes: between words where there are any. At least one.
pub fn wrap(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    each_row(text, columns, |row| rows.push(row));
    rows
}

/// The one row of a text that is not broken.
pub fn one_row(text: &str) -> Vec<Range<usize>> {
    std::iter::once(0..text.len()).collect()
}

/// How many rows [`wrap`] gives.
pub fn height(text: &str, columns: usize) -> usize {
    // Each letter has at least one byte, and none is wider than its bytes.
    if text.len() <= columns {
        return 1;
    }
    let mut n_rows = 0;
    each_row(text, columns, |_| n_rows += 1);
    n_rows
}

fn each_row(text: &str, columns: usize, mut row: impl FnMut(Range<usize>)) {
    let columns = columns.max(2);
    let (mut start, mut width) = (0, 0);
    // The end of the last word that fits, and the width of what follows it.
    let mut word_end = None;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if width + wide > columns {
            if c == ' ' {
                // The blank stays at the end of the full row, where nobody sees it.
                row(start..at);
                (start, width, word_end) = (at + 1, 0, None);
                continue;
            }
            let end = word_end.map_or(at, |(end, _)| end);
            row(start..end);
            width = word_end.map_or(0, |(_, before)| width - before);
            (start, word_end) = (end, None);
        }
        width += wide;
        if c == ' ' {
            word_end = Some((at + 1, width));
        }
    }
    row(start..text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, columns: usize) -> Vec<&str> {
        let rows = wrap(text, columns);
        assert_eq!(rows.len(), height(text, columns), "{text:?} at {columns}");
        rows.into_iter().map(|row| &text[row]).collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(
            rows("One case still reads the old key order.", 16),
            ["One case still ", "reads the old ", "key order."]
        );
        assert_eq!(rows("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(rows("ab cdefghij", 4), ["ab ", "cdef", "ghij"]);
        assert_eq!(rows("abcd efgh", 4), ["abcd", "efgh"]);
    }

    #[test]
    fn every_line_has_a_row() {
        assert_eq!(rows("", 80), [""]);
        assert_eq!(rows("x", 0), ["x"]);
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(rows("先在常開的機器", 6), ["先在常", "開的機", "器"]);
        assert_eq!(rows("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
    }

    #[test]
    fn no_letter_is_lost() {
        for columns in 2..40 {
            let text =
                "Three structs map one to one; Profile needs a custom visitor: 漢字 cpu_max_and_a_very_long_name x";
            let joined: String = rows(text, columns).concat();
            assert_eq!(joined.replace(' ', ""), text.replace(' ', ""), "{columns}");
        }
    }
}
