//! Server-sent events: the frames in which the providers stream their answers.
//!
//! Built on our own framer and not on one of the crates for it: those collect an event without a bound, and end at
//! the first byte that is no UTF-8. Here an event may hold [`MAX_EVENT`] bytes, whatever they are. Comments and
//! fields that nobody asks for are passed over, and an event that the end of the stream closes counts.

use crate::framer::{Framed, Framer, Overlong};

/// The most bytes of data in one event, and the most in one line.
pub(crate) const MAX_EVENT: usize = 4 * 1024 * 1024;

/// An event that is longer than [`MAX_EVENT`], and how long it was when it was given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong(pub(crate) usize);

/// Puts the data of events together from a stream of bytes.
#[derive(Debug)]
pub(crate) struct Events {
    lines: Framer,
    open: Open,
}

/// The event whose lines are coming.
#[derive(Debug, Default)]
struct Open {
    data: Vec<u8>,
    has_data: bool,
    too_long: Option<usize>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { lines: Framer::new(MAX_EVENT, Overlong::Skip), open: Open::default() }
    }

    /// Takes a chunk and hands over the data of every event that it completes.
    pub(crate) fn push(&mut self, chunk: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), TooLong> {
        let Self { lines, open } = self;
        lines.push(chunk, |line| open.line(&line, &mut take));
        open.too_long.map_or(Ok(()), |n| Err(TooLong(n)))
    }

    /// Hands over what stands without its end.
    pub(crate) fn finish(&mut self, mut take: impl FnMut(&[u8])) {
        let Self { lines, open } = self;
        lines.finish(|line| open.line(&line, &mut take));
        open.close(&mut take);
    }
}

impl Open {
    fn line(&mut self, line: &Framed<'_>, take: &mut impl FnMut(&[u8])) {
        let line = match line {
            Framed::Line(line) => line.strip_suffix(b"\r").unwrap_or(line),
            Framed::Skipped(n) => {
                self.too_long = Some(*n);
                return;
            }
        };
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.is_empty() {
            self.close(take);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            if self.data.len() > MAX_EVENT {
                self.too_long = Some(self.data.len());
                self.data = Vec::new();
            }
        }
    }

    fn close(&mut self, take: &mut impl FnMut(&[u8])) {
        if self.has_data && self.too_long.is_none() {
            take(&self.data);
        }
        self.has_data = false;
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&[u8]], expected: &[&str]) {
        let (mut events, mut seen) = (Events::new(), Vec::new());
        for chunk in chunks {
            events.push(chunk, |data| seen.push(String::from_utf8_lossy(data).into_owned())).unwrap();
        }
        events.finish(|data| seen.push(String::from_utf8_lossy(data).into_owned()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn events_come_whole_however_they_were_read() {
        check(&[b"data: one\n\ndata: two\n", b"\n"], &["one", "two"]);
        check(&[b"da", b"ta:", b" one\r\n\r", b"\ndata:two\r\n\r\n"], &["one", "two"]);
        check(&[b"data: a\ndata: b\n\n"], &["a\nb"]);
        check(&[b"event: ping\ndata: {}\nid: 7\nretry: 3\n\n"], &["{}"]);
    }

    #[test]
    fn what_is_no_data_is_passed_over() {
        check(&[b": PROCESSING\n\n: again\n\nevent: empty\n\n\n\ndata: x\n\n"], &["x"]);
        check(&[b"<html>\n\n"], &[]);
    }

    #[test]
    fn the_end_of_the_stream_ends_an_event() {
        check(&[b"data: [DONE]"], &["[DONE]"]);
        check(&[b"data: [DONE]\n"], &["[DONE]"]);
        check(&[], &[]);
    }

    #[test]
    fn a_byte_that_is_no_text_ends_nothing() {
        check(&[b"data: a\xffb\n\ndata: next\n\n"], &["a\u{fffd}b", "next"]);
    }

    #[test]
    fn an_endless_event_is_given_up() {
        let mut events = Events::new();
        let chunk = vec![b'x'; 64 * 1024];
        let given_up = (0..1000).find_map(|_| events.push(&chunk, |_| ()).err());
        assert!(given_up.is_none(), "a line without an end is only known by its end");
        assert!(events.push(b"\n", |_| ()).is_err());

        let (mut events, line) = (Events::new(), [b"data: ".as_slice(), &chunk, b"\n"].concat());
        let TooLong(n) = (0..1000).find_map(|_| events.push(&line, |_| ()).err()).unwrap();
        assert!((MAX_EVENT..MAX_EVENT + 128 * 1024).contains(&n), "{n}");
        let Events { open, .. } = events;
        assert_eq!(open.data.capacity(), 0);
    }
}
