//! Log lines: packed in batches, read in pages.
//!
//! A committed batch is one row of compressed JSON lines, numbered by its first line; the lines follow
//! without gaps, so that no number is stored with them.

use serde::{Deserialize, Serialize};
use swarm_model::TaskNumber;
use swarm_model::change::AppendLog;
use swarm_model::log::{LogEntry, LogLine, LogStream};

use crate::error::{Cause, StoreError};
use crate::sql::database::Database;
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::value::args;
use crate::task::LogPage;

const LOG_BATCHES: Statement = sql!("tasks/log_batches");
const LOG_BOUNDS: Statement = sql!("tasks/log_bounds");

/// Fast before small: the next level saves a few per cent for twice the time.
const LEVEL: i32 = 1;

/// The most bytes that one batch may unpack to: a commit holds less by far.
const MAX_UNPACKED: usize = 256 * 1024 * 1024;

/// The most bytes of text that a page holds before it ends early.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How many batches are read at once.
const BATCHES_AT_ONCE: usize = 64;

/// A line as it is kept, with the short names that matter in a million of them.
#[derive(Serialize, Deserialize)]
struct StoredLine<'a> {
    #[serde(rename = "s")]
    stream: LogStream,
    #[serde(rename = "t")]
    text: std::borrow::Cow<'a, str>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    data: Option<std::borrow::Cow<'a, serde_json::Value>>,
    #[serde(rename = "a")]
    at_micros: i64,
}

pub(super) fn pack_logs(logs: &[AppendLog]) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    let mut compressor = None;
    for log in logs {
        let (Some(first), Some(last)) = (log.lines.first(), log.lines.last()) else { continue };
        let compressor = match &mut compressor {
            Some(compressor) => compressor,
            None => compressor.insert(zstd::bulk::Compressor::new(LEVEL)?),
        };
        let packed = compressor.compress(&plain_lines(&log.lines)?)?;
        let last_seq = log.first_seq + log.lines.len() as u64 - 1;
        rows.push(cells![log.number, log.attempt, log.first_seq, last_seq, first.n, last.n, packed]);
    }
    Ok(rows)
}

fn plain_lines(lines: &[LogLine]) -> Result<Vec<u8>, StoreError> {
    let mut plain = Vec::new();
    for line in lines {
        let stored = StoredLine {
            stream: line.stream,
            text: line.text.as_str().into(),
            data: line.data.as_ref().map(std::borrow::Cow::Borrowed),
            at_micros: line.at.as_micros(),
        };
        serde_json::to_writer(&mut plain, &stored).map_err(|error| StoreError::Encode(error.into()))?;
        plain.push(b'\n');
    }
    Ok(plain)
}

fn unpack(packed: &[u8], attempt: u32, first_seq: u64) -> Result<Vec<LogEntry>, Cause> {
    let size = zstd::bulk::Decompressor::upper_bound(packed).unwrap_or(MAX_UNPACKED).min(MAX_UNPACKED);
    let plain = zstd::bulk::decompress(packed, size)?;
    let mut entries = Vec::new();
    for (seq, line) in (first_seq..).zip(plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())) {
        let line: StoredLine<'_> = serde_json::from_slice(line)?;
        entries.push(LogEntry {
            seq,
            attempt,
            stream: line.stream,
            text: line.text.into_owned(),
            data: line.data.map(std::borrow::Cow::into_owned),
            at: swarm_model::Timestamp::from_micros(line.at_micros),
        });
    }
    Ok(entries)
}

pub(super) async fn read_page(
    db: &Database,
    number: TaskNumber,
    after_seq: u64,
    limit: usize,
) -> Result<LogPage, StoreError> {
    let bounds = db.read(&LOG_BOUNDS, args![number]).await?;
    let bounds = bounds.first().ok_or(StoreError::not_found("task"))?.of("tasks", "number");
    let last_seq: u64 = bounds.count("log_seq")?;
    let oldest_seq = bounds.opt_count("oldest_seq")?.unwrap_or(last_seq + 1);

    let mut entries: Vec<LogEntry> = Vec::new();
    let mut read_to = after_seq;
    let mut bytes = 0;
    // Lines that a commit adds while this goes on are left for the next page, so that `last_seq` holds.
    'page: while read_to < last_seq && entries.len() < limit {
        let batches = db.read(&LOG_BATCHES, args![number, read_to, BATCHES_AT_ONCE.min(limit)]).await?;
        if batches.is_empty() {
            break;
        }
        for batch in &batches {
            let fields = batch.of("task_logs", "number");
            let lines = unpack(&fields.bytes("lines")?, fields.count("attempt")?, fields.count("first_seq")?);
            let lines = lines.map_err(|error| fields.corrupt("lines", error))?;
            for entry in lines.into_iter().skip_while(|entry| entry.seq <= read_to) {
                if entries.len() == limit || bytes >= PAGE_BYTES || entry.seq > last_seq {
                    break 'page;
                }
                bytes += entry.text.len();
                entries.push(entry);
            }
            read_to = fields.count("last_seq")?;
        }
    }
    Ok(LogPage { entries, last_seq, oldest_seq })
}
