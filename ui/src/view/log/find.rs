//! Looking for a text in a log.

use super::Piece;
use super::ansi::Style;

/// Whether a piece of text is what was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hit {
    /// No.
    No,
    /// One of the places.
    Other,
    /// The place one looks at.
    Current,
}

/// Where a text stands in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Find {
    needle: usize,
    /// Line and byte, in order.
    places: Vec<(u64, usize)>,
    current: usize,
}

/// The most places that are kept: enough to know that the text says too little.
const MOST: usize = 5_000;

impl Find {
    pub(super) fn new<'a>(needle: &str, lines: impl Iterator<Item = (u64, &'a str)>) -> Self {
        let needle = needle.to_ascii_lowercase();
        let mut places = Vec::new();
        if !needle.is_empty() {
            for (id, text) in lines {
                let lower = text.to_ascii_lowercase();
                places.extend(lower.match_indices(&needle).map(|(at, _)| (id, at)));
                if places.len() >= MOST {
                    places.truncate(MOST);
                    break;
                }
            }
        }
        let current = places.len().saturating_sub(1);
        Self { needle: needle.len(), places, current }
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Which one is looked at, from 1; 0 where there is none.
    pub fn current(&self) -> usize {
        if self.places.is_empty() { 0 } else { self.current + 1 }
    }

    /// The line of the place that is looked at.
    pub fn line(&self) -> Option<u64> {
        self.places.get(self.current).map(|(line, _)| *line)
    }

    /// Goes to the next place, or the one before; round at the ends.
    pub fn step(&mut self, forward: bool) {
        let n = self.places.len();
        if n > 0 {
            self.current = (self.current + if forward { 1 } else { n - 1 }) % n;
        }
    }

    /// Goes on at the same place after the log has grown.
    pub fn stay_at(&mut self, before: &Self) {
        let place = before.places.get(before.current);
        if let Some(at) = place.and_then(|place| self.places.iter().position(|other| other == place)) {
            self.current = at;
        }
    }
}

/// Cuts a piece of a line where places begin and end.
pub(super) fn split(find: Option<&Find>, line: u64, at: usize, text: &str, style: Style) -> Vec<Piece> {
    let piece = |text: &str, hit| Piece { text: text.to_owned(), style, hit };
    let Some(find) = find.filter(|find| !find.places.is_empty()) else { return vec![piece(text, Hit::No)] };
    let first = find.places.partition_point(|(other, _)| *other < line);
    let mut pieces = Vec::new();
    let mut done = at;
    let end = at + text.len();
    for (n, (_, place)) in find.places.iter().enumerate().skip(first).take_while(|(_, (other, _))| *other == line) {
        let (from, to) = ((*place).max(done), (place + find.needle).min(end));
        if from >= to {
            continue;
        }
        let cut = |from: usize, to: usize| text.get(from - at..to - at).filter(|cut| !cut.is_empty());
        pieces.extend(cut(done, from).map(|cut| piece(cut, Hit::No)));
        let hit = if n == find.current { Hit::Current } else { Hit::Other };
        pieces.extend(cut(from, to).map(|cut| piece(cut, hit)));
        done = to;
    }
    pieces.extend(text.get(done - at..).filter(|rest| !rest.is_empty()).map(|rest| piece(rest, Hit::No)));
    pieces
}
