//! Text from a terminal program as plain text with styles: escape sequences go, basic colours stay.
//!
//! What could move the cursor, change the window or reorder letters has no effect here. The state lives across
//! lines, as in a terminal.

use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// One of the eight basic colours, from 0 (black) to 7 (white).
    pub colour: Option<u8>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub faint: bool,
    /// Underlined.
    pub underline: bool,
}

/// Text without escape sequences, and where its looks change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Styled {
    /// The text.
    pub text: String,
    /// From which byte on it looks how; in order, the first one only where it is not plain.
    pub styles: Vec<(usize, Style)>,
}

impl Styled {
    /// Puts `more` behind.
    pub fn append(&mut self, more: Self) {
        let offset = self.text.len();
        let plain_start = more.styles.first().is_none_or(|(at, _)| *at > 0);
        if plain_start && self.styles.last().is_some_and(|(_, style)| *style != Style::default()) {
            self.styles.push((offset, Style::default()));
        }
        self.styles.extend(more.styles.into_iter().map(|(at, style)| (at + offset, style)));
        self.text.push_str(&more.text);
    }

    /// The pieces between two bytes, each with one look.
    pub fn pieces(&self, from: usize, to: usize) -> Vec<(usize, &str, Style)> {
        let mut pieces = Vec::new();
        let mut style = Style::default();
        let mut start = from;
        for (at, next) in &self.styles {
            if *at >= to {
                break;
            }
            if *at > start {
                pieces.extend(self.text.get(start..*at).map(|text| (start, text, style)));
                start = *at;
            }
            style = *next;
        }
        pieces.extend(self.text.get(start..to).filter(|text| !text.is_empty()).map(|text| (start, text, style)));
        pieces
    }
}

/// Reads what a program writes to a terminal.
#[derive(Debug, Default)]
pub struct Reader {
    parser: Parser<DefaultCharAccumulator>,
    style: Style,
}

impl Reader {
    /// The text of one line. What a carriage return takes back is gone.
    pub fn line(&mut self, raw: &str) -> Styled {
        if raw.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && self.style == Style::default() {
            return Styled { text: raw.to_owned(), styles: Vec::new() };
        }
        let mut page = Page { styled: Styled::default(), style: self.style };
        if self.style != Style::default() {
            page.styled.styles.push((0, self.style));
        }
        for byte in raw.bytes() {
            self.parser.advance(&mut page, byte);
        }
        self.style = page.style;
        page.styled
    }
}

struct Page {
    styled: Styled,
    style: Style,
}

impl Page {
    fn restyle(&mut self, style: Style) {
        if style == self.style {
            return;
        }
        self.style = style;
        let at = self.styled.text.len();
        match self.styled.styles.last_mut() {
            Some((last, same_place)) if *last == at => *same_place = style,
            _ => self.styled.styles.push((at, style)),
        }
    }
}

impl Perform for Page {
    fn print(&mut self, c: char) {
        // Marks that turn the direction of writing could make a line read as what it is not.
        if !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            self.styled.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => {
                let column = self.styled.text.chars().count();
                self.styled.text.extend(std::iter::repeat_n(' ', 8 - column % 8));
            }
            b'\r' => {
                self.styled = Styled::default();
                if self.style != Style::default() {
                    self.styled.styles.push((0, self.style));
                }
            }
            8 => {
                self.styled.text.pop();
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: u8) {
        if action == b'm' && intermediates.is_empty() {
            let style = selected(self.style, params);
            self.restyle(style);
        }
    }
}

/// The look after "select graphic rendition".
fn selected(mut style: Style, params: &Params) -> Style {
    let mut values = params.iter().flat_map(|sub| sub.iter().copied());
    if params.is_empty() {
        return Style::default();
    }
    while let Some(value) = values.next() {
        match value {
            0 => style = Style::default(),
            1 => style.bold = true,
            2 => style.faint = true,
            4 => style.underline = true,
            22 => (style.bold, style.faint) = (false, false),
            24 => style.underline = false,
            30..=37 => style.colour = u8::try_from(value - 30).ok(),
            90..=97 => style.colour = u8::try_from(value - 90).ok(),
            39 => style.colour = None,
            38 | 48 => {
                let colour = match values.next() {
                    Some(5) => values.next().filter(|index| *index < 16).and_then(|index| u8::try_from(index % 8).ok()),
                    Some(2) => {
                        values.by_ref().take(3).for_each(drop);
                        None
                    }
                    _ => None,
                };
                if value == 38 {
                    style.colour = colour;
                }
            }
            _ => {}
        }
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Styled {
        Reader::default().line(raw)
    }

    #[test]
    fn colours_stay_and_everything_else_goes() {
        let line = read("\u{1b}[1;31mFAILED\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7} \u{1b}[2Jok\u{1b}[3A");
        assert_eq!(line.text, "FAILED link ok");
        let red = Style { colour: Some(1), bold: true, ..Style::default() };
        assert_eq!(line.styles, [(0, red), (6, Style::default())]);
        assert_eq!(line.pieces(4, 9), [(4, "ED", red), (6, " li", Style::default())]);
    }

    #[test]
    fn a_look_lasts_until_it_is_taken_back_also_over_lines() {
        let mut reader = Reader::default();
        reader.line("\u{1b}[32mgreen");
        let green = Style { colour: Some(2), ..Style::default() };
        assert_eq!(reader.line("still").styles, [(0, green)]);
        assert_eq!(reader.line("\u{1b}[mplain").styles, [(0, Style::default())]);
        assert!(reader.line("plain").styles.is_empty());
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(read("10 %\r55 %\r100 %").text, "100 %");
        assert_eq!(read("a\tb").text, "a       b");
        assert_eq!(read("ab\u{8}c").text, "ac");
    }

    #[test]
    fn nothing_can_hide_or_turn_round() {
        assert_eq!(read("rm\u{202e}txt.exe\u{0}").text, "rmtxt.exe");
        assert_eq!(read("<script>alert(1)</script>").text, "<script>alert(1)</script>");
        assert_eq!(read("\u{1b}[38;5;9mx").styles.first().and_then(|(_, style)| style.colour), Some(1));
        assert_eq!(read("\u{1b}[38;2;1;2;3;1mx").styles.first().map(|(_, style)| style.bold), Some(true));
        assert_eq!(read("漢字 é").text, "漢字 é");
    }

    #[test]
    fn what_is_appended_keeps_its_look() {
        let mut line = read("\u{1b}[31mred");
        line.append(read("plain"));
        let red = Style { colour: Some(1), ..Style::default() };
        assert_eq!(line.pieces(0, 8), [(0, "red", red), (3, "plain", Style::default())]);
    }
}
