//! Cuts a stream of bytes into lines, with a bound on what one line may hold.

/// What becomes of a line that is longer than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlong {
    /// It is handed over in pieces, cut between characters.
    Cut,
    /// It is left out, and its length reported: half a JSON document is of no use.
    Skip,
}

/// A line, or what is known of one that was left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framed<'a> {
    /// A line without its end, or a piece of one.
    Line(&'a [u8]),
    /// A line of that many bytes was left out.
    Skipped(usize),
}

/// Collects bytes until a line is complete.
#[derive(Debug)]
pub(crate) struct Framer {
    open: Vec<u8>,
    skipped: usize,
    max: usize,
    overlong: Overlong,
}

impl Framer {
    pub(crate) fn new(max: usize, overlong: Overlong) -> Self {
        Self { open: Vec::new(), skipped: 0, max, overlong }
    }

    /// Takes a chunk and hands over every line that it completes.
    pub(crate) fn push(&mut self, mut chunk: &[u8], mut take: impl FnMut(Framed<'_>)) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.extend(&chunk[..end], &mut take);
            self.close(&mut take);
            chunk = &chunk[end + 1..];
        }
        self.extend(chunk, &mut take);
    }

    /// Hands over what stands without a line's end.
    pub(crate) fn finish(&mut self, mut take: impl FnMut(Framed<'_>)) {
        if !self.open.is_empty() || self.skipped > 0 {
            self.close(&mut take);
        }
    }

    fn extend(&mut self, bytes: &[u8], take: &mut impl FnMut(Framed<'_>)) {
        if self.skipped > 0 {
            self.skipped += bytes.len();
            return;
        }
        self.open.extend_from_slice(bytes);
        while self.open.len() > self.max {
            match self.overlong {
                Overlong::Skip => {
                    self.skipped = self.open.len();
                    self.open = Vec::new();
                }
                Overlong::Cut => {
                    let cut = char_boundary(&self.open, self.max);
                    take(Framed::Line(&self.open[..cut]));
                    self.open.drain(..cut);
                }
            }
        }
    }

    fn close(&mut self, take: &mut impl FnMut(Framed<'_>)) {
        if self.skipped > 0 {
            take(Framed::Skipped(self.skipped));
        } else {
            take(Framed::Line(&self.open));
        }
        self.skipped = 0;
        self.open.clear();
    }
}

/// The last place at or before `at` where no UTF-8 character is cut. Bytes that are no UTF-8 are cut at `at`.
fn char_boundary(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|place| bytes.get(*place).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(at)
}

/// Bytes as text: what is no UTF-8, and the NUL that databases refuse, become the replacement character.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max: usize, overlong: Overlong, chunks: &[&str], expected: &[&str]) {
        let mut framer = Framer::new(max, overlong);
        let mut lines = Vec::new();
        let mut take = |framed: Framed<'_>| match framed {
            Framed::Line(line) => lines.push(lossy(line)),
            Framed::Skipped(n) => lines.push(format!("<{n}>")),
        };
        for chunk in chunks {
            framer.push(chunk.as_bytes(), &mut take);
        }
        framer.finish(&mut take);
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_come_whole_however_they_were_read() {
        check(80, Overlong::Cut, &["one\ntw", "o\n\nthree"], &["one", "two", "", "three"]);
        check(80, Overlong::Cut, &["one\n"], &["one"]);
        check(80, Overlong::Cut, &[], &[]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        check(4, Overlong::Cut, &["abcdefghij\nk\n"], &["abcd", "efgh", "ij", "k"]);
        check(4, Overlong::Cut, &["abcéfg\n"], &["abc", "éfg"]);
        check(4, Overlong::Cut, &["😀😀\n"], &["😀", "😀"]);
    }

    #[test]
    fn a_long_document_is_left_out_and_the_next_is_read() {
        check(4, Overlong::Skip, &["abcde", "fgh\nok\n", "zzzzzz"], &["<8>", "ok", "<6>"]);
    }

    #[test]
    fn no_byte_is_refused() {
        assert_eq!(lossy(b"a\xff\0b"), "a\u{fffd}\u{fffd}b");
    }
}
