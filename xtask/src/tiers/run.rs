//! Runs one test binary: its output is kept, counted, and shown only if something failed.
//!
//! Besides its own verdict a binary fails by a crash, by taking too long, and by leaving a process behind that still
//! holds its output.

use std::{
    io::{Read, Write},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    binaries::TestBinary,
    tally::{LeftOut, Tally},
};
use crate::steps::short;

/// How long a binary may take, and with `--long`.
const LIMIT: Duration = Duration::from_secs(20 * 60);
const LONG_LIMIT: Duration = Duration::from_secs(120 * 60);

/// How long what it started may hold its output after its end.
const GRACE: Duration = Duration::from_secs(5);

/// Which tests of a binary.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    All,
    Named(&'a [String]),
}

pub(crate) fn run(binary: &TestBinary, which: Which<'_>, variables: &[(&str, String)], long: bool) -> Tally {
    print!("  {} ... ", binary.name);
    // A name that cannot be shown yet is no reason to stop.
    drop(std::io::stdout().flush());
    let start = Instant::now();
    match finished(binary, which, variables, if long { LONG_LIMIT } else { LIMIT }) {
        Ok(ended) => {
            let tally = ended.tally(&binary.name);
            println!("{tally} in {}", short(start.elapsed()));
            if tally.failed > 0 {
                println!("{}", ended.output);
            }
            tally
        }
        Err(error) => {
            println!();
            let mut tally = Tally::default();
            tally.fail(format!("{}: {error:#}", binary.name));
            tally
        }
    }
}

/// A binary that came to its end.
struct Ended {
    output: String,
    /// `None`: it was stopped because it took too long.
    status: Option<ExitStatus>,
    left_processes: bool,
}

fn finished(binary: &TestBinary, which: Which<'_>, variables: &[(&str, String)], limit: Duration) -> Result<Ended> {
    let (mut reader, writer) = std::io::pipe()?;
    let mut command = Command::new(&binary.executable);
    command.arg("--show-output");
    if let Which::Named(tests) = which {
        command.arg("--exact").args(tests);
    }
    command
        .current_dir(binary.folder())
        .env("CARGO_MANIFEST_DIR", binary.folder())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn().context("cannot start it")?;
    // The command holds the writing end: without it the pipe ends when the last process does.
    drop(command);

    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(n @ 1..) = reader.read(&mut chunk) {
            if sender.send(chunk[..n].to_vec()).is_err() {
                return;
            }
        }
    });

    let deadline = Instant::now() + limit;
    let mut output = Vec::new();
    let status = loop {
        if let Ok(chunk) = receiver.recv_timeout(Duration::from_millis(20)) {
            output.extend(chunk);
        }
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
    };
    let end = Instant::now() + GRACE;
    let left_processes = loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(chunk) => output.extend(chunk),
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
        }
    };
    Ok(Ended { output: String::from_utf8_lossy(&output).into_owned(), status, left_processes })
}

impl Ended {
    fn tally(&self, name: &str) -> Tally {
        let mut tally = counted(&self.output);
        for failure in &mut tally.failures {
            *failure = format!("{name}: {failure}");
        }
        match self.status {
            None => tally.fail(format!("{name}: stopped, it took too long")),
            Some(status) if !status.success() && tally.failed == 0 => tally.fail(format!("{name}: {status}")),
            Some(_) => {}
        }
        if self.left_processes {
            tally.fail(format!("{name}: a process it started is still there"));
        }
        tally
    }
}

/// Reads what the test harness says. A test that says `left out: WHAT` did nothing: it has not passed.
fn counted(output: &str) -> Tally {
    let mut tally = Tally::default();
    let mut test = None;
    for line in output.lines() {
        if let Some(result) = line.strip_prefix("test result: ") {
            tally.passed += count(result, "passed");
            tally.failed += count(result, "failed");
        } else if let Some(test) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED")) {
            tally.failures.push(test.to_owned());
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            test = Some(name);
        } else if let Some(what) = line.strip_prefix("left out: ")
            && let Some(test) = test.take()
        {
            tally.left_out.push(LeftOut { test: test.to_owned(), what: what.to_owned() });
        }
    }
    // What failed says so, whatever else it says.
    tally.left_out.retain(|left_out| !tally.failures.contains(&left_out.test));
    tally.passed = tally.passed.saturating_sub(tally.left_out.len());
    tally
}

/// The number before a word in `ok. 5 passed; 0 failed; 1 ignored; ...`.
fn count(result: &str, word: &str) -> usize {
    let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
