//! The lines of an attempt: appended by its run, read back by whoever sends them.
//!
//! The file is the only buffer between the two. An agent that is cut off for a day holds no more of it in
//! memory than one that is connected.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::Deserialize;
use swarm_model::Clock;
use swarm_model::log::LogLine;
use swarm_tools::event::LogPiece;

/// The most that is read for one batch, unless a single line is longer.
pub(crate) const MAX_BATCH_BYTES: usize = 64 * 1024;
/// No line is longer than this: its text is bounded, and so is its structured part.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// How far the journal of a running attempt is; shared by who writes and who sends.
#[derive(Debug, Default)]
pub(crate) struct Tip {
    lines: AtomicU64,
    bytes: AtomicU64,
    /// Percent and one; zero where the tool said nothing.
    progress: AtomicU8,
}

impl Tip {
    pub(crate) fn at(lines: u64) -> Self {
        Self { lines: AtomicU64::new(lines), ..Self::default() }
    }

    /// The number of the last line in the journal.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Acquire)
    }

    /// How far the tool says it is.
    pub(crate) fn progress(&self) -> Option<u8> {
        self.progress.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn set_progress(&self, percent: u8) {
        self.progress.store(percent.min(100) + 1, Ordering::Relaxed);
    }
}

/// Appends lines to the journal of an attempt.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    length: u64,
    last: u64,
    buffer: Vec<u8>,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(path)?, length: 0, last: 0, buffer: Vec::new() })
    }

    /// Appends these pieces with the next numbers, in one write, and publishes them at `tip`. Either all of
    /// them are there afterwards or none.
    pub(crate) fn append(
        &mut self,
        pieces: impl IntoIterator<Item = LogPiece>,
        clock: &dyn Clock,
        tip: &Tip,
    ) -> io::Result<()> {
        self.buffer.clear();
        let (mut last, at) = (self.last, clock.now());
        for LogPiece { stream, text, data } in pieces {
            last += 1;
            serde_json::to_writer(&mut self.buffer, &LogLine { n: last, stream, text, data, at })?;
            self.buffer.push(b'\n');
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        swarm_model::crash::point("agent.line.journalling");
        if let Err(error) = self.file.write_all(&self.buffer) {
            // A full disk may have taken a part. What cannot even be cut is cut by the next process.
            drop(self.file.set_len(self.length));
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.last = last;
        swarm_model::crash::point("agent.line.journalled");
        tip.bytes.store(self.length, Ordering::Relaxed);
        tip.lines.store(last, Ordering::Release);
        Ok(())
    }
}

/// The whole lines near the end of a journal. Blocks.
pub(super) fn tail(path: &Path) -> io::Result<Vec<LogLine>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Reads the lines of an attempt back, in order.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    file: Option<File>,
    place: Place,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the line before it.
    pub(crate) after: u64,
    offset: u64,
}

impl Place {
    pub(crate) const START: Self = Self { after: 0, offset: 0 };

    /// Behind line `after`, of which nobody knows where it is.
    pub(crate) fn lost(after: u64) -> Self {
        Self { after, offset: 0 }
    }

    /// Bytes from here to the tip of a journal that is being written.
    pub(crate) fn bytes_to(self, tip: &Tip) -> u64 {
        tip.bytes.load(Ordering::Relaxed).saturating_sub(self.offset)
    }
}

#[derive(Deserialize)]
struct Number {
    n: u64,
}

impl LogReader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, place: Place::START }
    }

    /// Where it reads on.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Reads on from a place that this journal had.
    pub(crate) fn go_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Reads on behind line `n`, which is looked for from the start.
    pub(crate) fn find(&mut self, n: u64) -> io::Result<()> {
        self.place = Place::START;
        if n == 0 {
            return Ok(());
        }
        let mut place = Place::START;
        let mut lines = BufReader::new(File::open(&self.path)?);
        let mut line = Vec::new();
        while place.after < n {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            place.after = serde_json::from_slice::<Number>(&line)?.n;
            place.offset += line.len() as u64;
        }
        self.place = place;
        Ok(())
    }

    /// The next lines up to number `last`: about [`MAX_BATCH_BYTES`] of them, at least one where there is one.
    pub(crate) fn read(&mut self, last: u64) -> io::Result<Vec<LogLine>> {
        if self.place.after >= last {
            return Ok(Vec::new());
        }
        let mut size = MAX_BATCH_BYTES;
        let chunk = loop {
            let chunk = self.chunk(size)?;
            let is_all = chunk.len() < size;
            if chunk.contains(&b'\n') || is_all || size >= MAX_LINE_BYTES {
                break chunk;
            }
            size *= 2;
        };
        let mut lines = Vec::new();
        for line in chunk.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            if self.place.after >= last {
                break;
            }
            let parsed: LogLine = serde_json::from_slice(line)?;
            self.place = Place { after: parsed.n, offset: self.place.offset + line.len() as u64 };
            lines.push(parsed);
        }
        if lines.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the journal ends before its tip"));
        }
        Ok(lines)
    }

    fn chunk(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        file.seek(SeekFrom::Start(self.place.offset))?;
        let mut chunk = Vec::with_capacity(size.min(MAX_BATCH_BYTES));
        file.take(size as u64).read_to_end(&mut chunk)?;
        Ok(chunk)
    }
}

/// Cuts what a crash left behind the last whole line; gives the number of that line. A journal that was never
/// begun has none.
pub(super) fn mend(path: &Path) -> io::Result<u64> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let (mut whole, mut last) = (0, 0);
    let mut lines = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n_read = lines.read_until(b'\n', &mut line)?;
        // Also after a power cut, which may leave a hole of zeros.
        let is_next = serde_json::from_slice::<Number>(&line).is_ok_and(|number| number.n == last + 1);
        if n_read == 0 || !line.ends_with(b"\n") || !is_next {
            break;
        }
        whole += n_read as u64;
        last += 1;
    }
    drop(lines);
    if file.metadata()?.len() > whole {
        tracing::warn!(path = %path.display(), kept = last, "the end of a journal was torn and is cut");
        file.set_len(whole)?;
    }
    Ok(last)
}
