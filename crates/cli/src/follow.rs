//! Reading a task's log as it grows, until its end.
//!
//! The reader remembers the last number it has seen. When the coordinator is away it says so once, waits with
//! growing pauses for as long as it takes, and goes on behind that number: no line is missed, none comes twice.

use std::io::Write as _;
use std::time::Duration;

use anstyle::Style;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use swarm_client::{Client, ClientError};
use swarm_model::TaskId;
use swarm_model::log::{LogEntry, LogStream};
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{LogPage, ReadLog, Task};

use crate::failure::Failure;
use crate::output::Output;
use crate::readable::{ACTIVE, DIM, WARN, plain};

/// How long one request waits for news.
const WAIT: Duration = Duration::from_secs(25);
/// The longest pause before another try.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A reader of one task's log.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    client: &'a Client,
    output: Output,
    task_id: TaskId,
    after: u64,
}

impl<'a> Follower<'a> {
    /// A reader that begins behind entry `after`.
    pub(crate) fn new(client: &'a Client, output: Output, task_id: TaskId, after: u64) -> Self {
        Self { client, output, task_id, after }
    }

    /// Shows every entry to `seen`, in order, until the task has ended. Returns it as it is then.
    pub(crate) async fn until_ended(
        mut self,
        mut seen: impl FnMut(&LogEntry) -> Result<(), Failure>,
    ) -> Result<Task, Failure> {
        loop {
            let page = self.next_page(WAIT).await?;
            for entry in &page.entries {
                seen(entry)?;
            }
            if page.complete {
                return self.patiently(async || self.client.task(self.task_id).await).await;
            }
        }
    }

    /// Shows every entry that is there now.
    pub(crate) async fn so_far(
        mut self,
        mut seen: impl FnMut(&LogEntry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let page = self.next_page(Duration::ZERO).await?;
            if page.entries.is_empty() {
                return Ok(());
            }
            for entry in &page.entries {
                seen(entry)?;
            }
        }
    }

    async fn next_page(&mut self, wait: Duration) -> Result<LogPage, Failure> {
        let query = ReadLog { after: self.after, limit: None, wait_ms: wait.as_millis() as u64 };
        let page = self.patiently(async || self.client.task_log(self.task_id, &query).await).await?;
        // Entries that were seen are never shown again, whatever the answer holds.
        let entries = page.entries.into_iter().filter(|entry| entry.seq > self.after).collect();
        self.after = self.after.max(page.next_after);
        Ok(LogPage { entries, ..page })
    }

    /// Asks until there is an answer, however long the coordinator is away.
    async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, ClientError>) -> Result<T, Failure> {
        let mut away = None;
        loop {
            match ask().await {
                Ok(answer) => {
                    if away.is_some() {
                        self.output.remark("connected again");
                    }
                    return Ok(answer);
                }
                Err(error) if error.is_transient() => {
                    let pauses = away.get_or_insert_with(|| {
                        self.output.remark(&format!("{error}; reconnecting"));
                        pauses()
                    });
                    tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                }
                Err(error) if error.code() == Some(ErrorCode::Gone) => {
                    return Err(Failure::from(error).advise("`garageswarm task logs TASK` shows what is kept"));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Growing pauses without an end.
fn pauses() -> impl Iterator<Item = Duration> {
    let growing = ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_delay(LONGEST_PAUSE);
    growing.without_max_times().with_jitter().build()
}

/// Prints entries as a person reads them: what the task says on standard output, everything about it on
/// standard error. Pieces of a model's answer follow each other without anything between them.
#[derive(Debug)]
pub(crate) struct Printer {
    output: Output,
    is_terminal: bool,
    /// Standard output stands within a line.
    within_line: bool,
    /// Standard error stands within a line of the model's reasoning.
    within_thought: bool,
    attempt: u32,
}

impl Printer {
    pub(crate) fn new(output: Output, is_terminal: bool) -> Self {
        Self { output, is_terminal, within_line: false, within_thought: false, attempt: 0 }
    }

    pub(crate) fn print(&mut self, entry: &LogEntry) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.json_line(entry);
        }
        let (mut stdout, mut stderr) = (anstream::stdout().lock(), anstream::stderr().lock());
        self.write(entry, &mut stdout, &mut stderr)?;
        Ok(stdout.flush()?)
    }

    /// Ends a line that the task has left open.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let (mut stdout, mut stderr) = (anstream::stdout().lock(), anstream::stderr().lock());
        self.end_lines(&mut stdout, &mut stderr)?;
        Ok(stdout.flush()?)
    }

    fn write(
        &mut self,
        entry: &LogEntry,
        stdout: &mut impl std::io::Write,
        stderr: &mut impl std::io::Write,
    ) -> std::io::Result<()> {
        if entry.attempt != self.attempt {
            self.end_lines(stdout, stderr)?;
            if self.attempt != 0 {
                writeln!(stderr, "{WARN}attempt {}{WARN:#}", entry.attempt)?;
            }
            self.attempt = entry.attempt;
        }
        // Bytes of a program are passed on as they are, but for a terminal, which they must not steer.
        let text = if self.is_terminal { plain(&entry.text) } else { entry.text.clone() };
        match entry.stream {
            LogStream::Text => {
                self.end_thought(stderr)?;
                self.within_line = if text.is_empty() { self.within_line } else { !text.ends_with('\n') };
                stdout.write_all(text.as_bytes())
            }
            LogStream::Stdout => {
                self.end_lines(stdout, stderr)?;
                writeln!(stdout, "{text}")
            }
            LogStream::Thinking => {
                self.end_line(stdout)?;
                self.within_thought = if text.is_empty() { self.within_thought } else { !text.ends_with('\n') };
                write!(stderr, "{DIM}{}{DIM:#}", plain(&text))
            }
            LogStream::Stderr => self.aside(stdout, stderr, Style::new(), &text),
            LogStream::ToolCall => self.aside(stdout, stderr, ACTIVE, &format!("> {}", plain(&text))),
            LogStream::RateLimit => self.aside(stdout, stderr, WARN, &plain(&text)),
            LogStream::ToolResult | LogStream::System => self.aside(stdout, stderr, DIM, &plain(&text)),
            // Tokens so far are for programs; people see the sum at the end.
            LogStream::Usage => Ok(()),
        }
    }

    fn aside(
        &mut self,
        stdout: &mut impl std::io::Write,
        stderr: &mut impl std::io::Write,
        style: Style,
        text: &str,
    ) -> std::io::Result<()> {
        self.end_lines(stdout, stderr)?;
        stdout.flush()?;
        writeln!(stderr, "{style}{text}{style:#}")
    }

    fn end_lines(&mut self, stdout: &mut impl std::io::Write, stderr: &mut impl std::io::Write) -> std::io::Result<()> {
        self.end_line(stdout)?;
        self.end_thought(stderr)
    }

    fn end_line(&mut self, stdout: &mut impl std::io::Write) -> std::io::Result<()> {
        if std::mem::take(&mut self.within_line) { writeln!(stdout) } else { Ok(()) }
    }

    fn end_thought(&mut self, stderr: &mut impl std::io::Write) -> std::io::Result<()> {
        if std::mem::take(&mut self.within_thought) { writeln!(stderr) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::Timestamp;

    use super::*;

    fn printed(entries: &[(u32, LogStream, &str)]) -> (String, String) {
        let mut printer = Printer::new(Output::new(false), true);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for (seq, (attempt, stream, text)) in (1..).zip(entries) {
            let text = (*text).to_owned();
            let entry = LogEntry { seq, attempt: *attempt, stream: *stream, text, data: None, at: Timestamp::EPOCH };
            printer.write(&entry, &mut stdout, &mut stderr).unwrap();
        }
        printer.end_lines(&mut stdout, &mut stderr).unwrap();
        let text = |bytes: Vec<u8>| anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string();
        (text(stdout), text(stderr))
    }

    #[test]
    fn pieces_of_an_answer_are_put_together() {
        let (stdout, stderr) = printed(&[
            (1, LogStream::System, "started"),
            (1, LogStream::Thinking, "hm, "),
            (1, LogStream::Thinking, "well"),
            (1, LogStream::Text, "Hel"),
            (1, LogStream::Text, "lo"),
            (1, LogStream::ToolCall, "Bash ls"),
            (1, LogStream::Text, "world"),
        ]);
        assert_eq!(stdout, "Hello\nworld\n");
        assert_eq!(stderr, "started\nhm, well\n> Bash ls\n");
    }

    #[test]
    fn lines_of_a_program_stay_lines() {
        let (stdout, stderr) = printed(&[
            (1, LogStream::Stdout, "one"),
            (1, LogStream::Stderr, "oops"),
            (1, LogStream::Stdout, "\x1b]0;title\x07two"),
            (2, LogStream::Stdout, "one"),
        ]);
        assert_eq!(stdout, "one\ntwo\none\n");
        assert_eq!(stderr, "oops\nattempt 2\n");
    }
}
