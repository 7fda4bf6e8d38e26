//! Watches an answer while it passes: every byte goes on as it came, and what it says of tokens is counted.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzDecoder;
use url::Url;

use super::read::document;
use super::refuse::Framing;
use super::wire::{Asked, Wire};
use crate::framer::{Framed, Framer, Overlong};
use crate::meter::{Call, Denied, Seen};
use crate::sse::{Events, MAX_EVENT};

/// The longest answer in one document that is read. Of a longer one the tokens stay unknown.
const MAX_WHOLE: usize = 32 * 1024 * 1024;

/// The eyes on one answer.
#[derive(Debug)]
pub(super) struct Watch {
    call: Call,
    wire: Wire,
    base: Url,
    frames: Frames,
    /// Its body is packed, and unpacked for us alone.
    packed: Option<GzDecoder<Vec<u8>>>,
    /// Whether its pieces come while they are written, and count as they come.
    is_streamed: bool,
}

#[derive(Debug)]
enum Frames {
    Events(Box<Events>),
    Lines(Framer),
    Whole(Vec<u8>),
}

impl Watch {
    pub(super) fn new(call: Call, asked: &Asked, base: Url, framing: Framing, is_packed: bool) -> Self {
        let frames = match framing {
            Framing::Events => Frames::Events(Box::new(Events::new())),
            Framing::Lines => Frames::Lines(Framer::new(MAX_EVENT, Overlong::Skip)),
            Framing::Whole => Frames::Whole(Vec::new()),
        };
        let packed = is_packed.then(|| GzDecoder::new(Vec::new()));
        Self { call, wire: asked.wire, base, frames, packed, is_streamed: asked.is_streamed }
    }

    /// Looks at a chunk. Err where the answer must not go on.
    pub(super) fn chunk(&mut self, chunk: &Bytes) -> Result<(), Denied> {
        let Some(packed) = &mut self.packed else { return self.look(chunk) };
        // What cannot be unpacked passes unread.
        if packed.write_all(chunk).and_then(|()| packed.flush()).is_err() {
            return Ok(());
        }
        let plain = std::mem::take(packed.get_mut());
        self.look(&plain)
    }

    fn look(&mut self, bytes: &[u8]) -> Result<(), Denied> {
        let Self { call, wire, base, frames, is_streamed, .. } = self;
        let mut seen = Seen::default();
        match frames {
            Frames::Events(events) => {
                let take = |data: &[u8]| document(*wire, base, data.trim_ascii(), &mut seen);
                if events.push(bytes, take).is_err() {
                    // Whatever it holds, it was written.
                    seen.piece(bytes.len() as u64);
                }
            }
            Frames::Lines(lines) => lines.push(bytes, |line| match line {
                Framed::Line(line) if line.trim_ascii().is_empty() => {}
                Framed::Line(line) => document(*wire, base, line, &mut seen),
                Framed::Skipped(n) => seen.piece(n as u64),
            }),
            Frames::Whole(all) => {
                if all.len() + bytes.len() <= MAX_WHOLE {
                    all.extend_from_slice(bytes);
                }
                // Until its end says better.
                if *is_streamed {
                    seen.piece(bytes.len() as u64);
                }
            }
        }
        call.note(seen)
    }

    /// The answer is over, and whole.
    pub(super) fn finish(mut self) {
        let Self { call, wire, base, frames, .. } = &mut self;
        let mut seen = Seen::default();
        match frames {
            Frames::Events(events) => events.finish(|data| document(*wire, base, data.trim_ascii(), &mut seen)),
            Frames::Lines(lines) => lines.finish(|line| {
                if let Framed::Line(line) = line {
                    document(*wire, base, line, &mut seen);
                }
            }),
            Frames::Whole(all) => document(*wire, base, all, &mut seen),
        }
        // It is over anyway.
        drop(call.note(seen));
        self.call.finish();
    }
}
