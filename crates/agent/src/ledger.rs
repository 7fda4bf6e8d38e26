//! What other people used of this machine today: one line for each of their runs that ended, in `shared-use.ndjson`
//! in the data folder.
//!
//! A line is written after the run's result is journalled and before anybody is told of it, and names its attempt.
//! So an agent that is killed in between finds the result at its next start and counts it then, once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use swarm_model::worker::AttemptRef;
use swarm_model::{Timestamp, ToolName, UserId};

use crate::durable;

const FILE: &str = "shared-use.ndjson";

/// What somebody used of a tool in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) runs: u32,
    pub(crate) cost_microusd: u64,
}

/// What was used in a day, by person and tool.
pub(crate) type DayUse = BTreeMap<(UserId, ToolName), Used>;

/// A run of somebody who does not own the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub(crate) attempt: AttemptRef,
    pub(crate) user_id: UserId,
    pub(crate) tool: ToolName,
    /// One; none where the machine's owner ended it and it runs again elsewhere.
    pub(crate) runs: u32,
    pub(crate) cost_microusd: u64,
}

/// A line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    day: String,
    #[serde(flatten)]
    entry: Entry,
}

/// Counts what other people use.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    zone: TimeZone,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    lines: HashMap<AttemptRef, Line>,
    file: Option<File>,
    /// The sums of one day.
    day: String,
    sums: DayUse,
}

/// A day of this machine: its name, and when the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Day {
    name: String,
    pub(crate) ends: Timestamp,
}

impl Day {
    fn of(now: Timestamp, zone: &TimeZone) -> Self {
        let instant = jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or_default();
        let local = instant.to_zoned(zone.clone());
        let next = local.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        let ends = next.map_or(Timestamp::FAR_FUTURE, |next| Timestamp::from_micros(next.timestamp().as_microsecond()));
        Self { name: local.date().to_string(), ends }
    }
}

impl Ledger {
    /// Reads what was counted. A line that is torn was never told to anybody, and is counted anew. Blocks.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        Self::open_in(data_dir, TimeZone::system())
    }

    fn open_in(data_dir: &Path, zone: TimeZone) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let lines = lines.map(|line| (line.entry.attempt, line)).collect();
        Ok(Self { path, zone, book: Mutex::new(Book { lines, ..Book::default() }) })
    }

    /// The day that an instant belongs to here.
    pub(crate) fn day(&self, now: Timestamp) -> Day {
        Day::of(now, &self.zone)
    }

    /// Counts a run that ended now, unless it was counted. It counts in memory also where the disk is full. Blocks.
    pub(crate) fn enter(&self, entry: Entry, now: Timestamp) -> io::Result<()> {
        let day = self.day(now);
        let mut book = self.book();
        if book.lines.contains_key(&entry.attempt) {
            return Ok(());
        }
        book.turn_to(&day.name);
        book.add(&entry);
        let line = Line { day: day.name, entry };
        let mut text = serde_json::to_vec(&line)?;
        book.lines.insert(line.entry.attempt, line);
        text.push(b'\n');
        self.append(&mut book, &text)
    }

    /// What was used today.
    pub(crate) fn today(&self, now: Timestamp) -> DayUse {
        let day = self.day(now);
        let mut book = self.book();
        book.turn_to(&day.name);
        book.sums.clone()
    }

    /// Whether a run was counted.
    pub(crate) fn has(&self, attempt: AttemptRef) -> bool {
        self.book().lines.contains_key(&attempt)
    }

    /// Forgets earlier days, but for the attempts whose results may be found again. Blocks.
    pub(crate) fn prune(&self, in_hand: &HashSet<AttemptRef>, now: Timestamp) -> io::Result<()> {
        let day = self.day(now);
        let mut book = self.book();
        book.lines.retain(|attempt, line| line.day == day.name || in_hand.contains(attempt));
        let mut text = Vec::new();
        for line in book.lines.values() {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        book.file = None;
        durable::replace(&self.path, &text)
    }

    fn append(&self, book: &mut Book, text: &[u8]) -> io::Result<()> {
        if book.file.is_none() {
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            book.file = Some(options.open(&self.path)?);
            // What a killed process left of a line must not swallow this one.
            book.file.as_mut().map_or(Ok(()), |file| file.write_all(b"\n"))?;
        }
        let Some(file) = &mut book.file else { return Ok(()) };
        let length = file.metadata()?.len();
        let written = file.write_all(text).and_then(|()| file.sync_data());
        // A part of a line would swallow the next one.
        written.inspect_err(|_| drop(file.set_len(length)))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn turn_to(&mut self, day: &str) {
        if self.day == day {
            return;
        }
        day.clone_into(&mut self.day);
        self.sums.clear();
        let of_day: Vec<_> =
            self.lines.values().filter(|line| line.day == day).map(|line| line.entry.clone()).collect();
        for entry in &of_day {
            self.add(entry);
        }
    }

    fn add(&mut self, entry: &Entry) {
        let used = self.sums.entry((entry.user_id, entry.tool.clone())).or_default();
        used.runs = used.runs.saturating_add(entry.runs);
        used.cost_microusd = used.cost_microusd.saturating_add(entry.cost_microusd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_014_400_000_000);
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);

    fn entry(n: u8, user: u8, cost_microusd: u64) -> Entry {
        let attempt =
            AttemptRef { task_id: format!("018f2d3a-0000-7000-8000-0000000000{n:02x}").parse().unwrap(), attempt: 1 };
        let user_id = format!("018f2d3a-0000-7000-8000-0000000001{user:02x}").parse().unwrap();
        Entry { attempt, user_id, tool: "demo".parse().unwrap(), runs: 1, cost_microusd }
    }

    fn open(folder: &Path) -> Ledger {
        Ledger::open_in(folder, TimeZone::UTC).unwrap()
    }

    #[test]
    fn a_day_ends_at_midnight_of_the_machine() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let (utc, east) = (Day::of(NOON, &TimeZone::UTC), Day::of(NOON, &tokyo));
        assert_eq!((utc.name.as_str(), utc.ends.to_string().as_str()), ("2027-01-15", "2027-01-16T00:00:00.000000Z"));
        assert_eq!((east.name.as_str(), east.ends.to_string().as_str()), ("2027-01-15", "2027-01-15T15:00:00.000000Z"));
    }

    #[test]
    fn what_is_counted_survives_and_ends_with_its_day() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        ledger.enter(entry(1, 1, 40), NOON).unwrap();
        ledger.enter(entry(2, 1, 2), NOON).unwrap();
        drop(ledger);
        // A power cut in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
        file.write_all(b"{\"day\":\"2027").unwrap();
        let ledger = open(folder.path());
        ledger.prune(&HashSet::from([entry(2, 1, 0).attempt]), NOON).unwrap();
        ledger.enter(entry(2, 1, 2), NOON).unwrap();
        let used: Vec<_> = ledger.today(NOON).into_values().collect();
        assert_eq!(used, [Used { runs: 2, cost_microusd: 42 }]);
        assert!(ledger.today(NOON + DAY).is_empty());
        ledger.prune(&HashSet::from([entry(2, 1, 0).attempt]), NOON + DAY).unwrap();
        let ledger = open(folder.path());
        assert!(!ledger.has(entry(1, 1, 0).attempt) && ledger.has(entry(2, 1, 0).attempt));
        ledger.enter(entry(2, 1, 2), NOON + DAY).unwrap();
        assert!(ledger.today(NOON + DAY).is_empty(), "found again a day later it is not counted again");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever is told twice and wherever the process dies: the sums are those of the different runs.
        #[test]
        fn every_run_counts_once(steps in proptest::collection::vec((0_u8..20, 0_u8..3, 0_u64..100, any::<bool>()), 1..40)) {
            let folder = tempfile::tempdir().unwrap();
            let mut ledger = open(folder.path());
            let mut runs: HashMap<u8, (u8, u64)> = HashMap::new();
            for (n, user, cost, dies) in steps {
                let (user, cost) = *runs.entry(n).or_insert((user, cost));
                ledger.enter(entry(n, user, cost), NOON).unwrap();
                if dies {
                    ledger = open(folder.path());
                }
            }
            let mut expected = DayUse::new();
            for (n, (user, cost)) in runs {
                let used = expected.entry((entry(n, user, 0).user_id, "demo".parse().unwrap())).or_default();
                *used = Used { runs: used.runs + 1, cost_microusd: used.cost_microusd + cost };
            }
            prop_assert_eq!(ledger.today(NOON), expected);
        }
    }
}
