//! The guard: a small process of our own that owns every run of a program.
//!
//! A process group is not enough: tools put commands into groups and sessions of their own and leave them
//! behind. The guard is the subreaper of everything that the tool starts (Linux), so that nothing can get
//! away from it; it holds the job object on Windows, and the process group on macOS, where a process that
//! leaves its group is out of reach.
//!
//! It reads one JSON line ([`Spec`]) from its standard input, and watches that input for as long as the tool
//! runs: a line `cancel`, or its end (the worker is dead), ends the whole tree: TERM, a grace, KILL. The tool
//! inherits the guard's standard output and error, so that no byte passes through the guard. Invariant: when
//! the guard exits by itself, no process of the run is left, and the status file says how the run ended.

#[cfg(target_os = "linux")]
mod allowed;
#[cfg(target_os = "linux")]
mod network;
mod probe;
#[cfg(target_os = "linux")]
mod sandbox;
mod spec;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
mod processes;
#[cfg(not(target_os = "linux"))]
#[path = "guard/processes_elsewhere.rs"]
mod processes;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

pub use probe::{PROBE, Sight, Targets};
pub use processes::sweep_marked;
pub use spec::{Ended, EndedBy, Mount, Network, Sandbox, Shows, Spec, StartFailure, StartFailureKind};

/// The variable that every process of a run carries: `<task>-<attempt>-<random>`.
pub const RUN_MARK: &str = "GARAGESWARM_RUN";

/// The word that selects the guard on the command line of our binary.
pub const SUBCOMMAND: &str = "guard";

/// A specification longer than this is not one.
const MAX_SPEC_BYTES: u64 = 32 * 1024 * 1024;

/// Where the guard's program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardBinary(pub PathBuf);

impl GuardBinary {
    /// Our own binary.
    pub fn current() -> std::io::Result<Self> {
        std::env::current_exe().map(Self)
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// What the guard is told, or sees, while the tool runs.
#[derive(Debug)]
enum Order {
    /// End the run.
    End(EndedBy),
    /// The tool's first process ended.
    #[cfg(unix)]
    FirstEnded { code: Option<i32>, signal: Option<i32> },
    /// No process of the run is left.
    #[cfg(unix)]
    NoneLeft,
}

/// Runs the guard, or the probe that tells how far a run is kept away: `garageswarm guard` calls nothing else.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(2);
    if arguments.next().is_some_and(|word| word == PROBE) {
        return probe::main(arguments.next().as_deref());
    }
    #[cfg(unix)]
    if let Err(error) = unix::block_signals() {
        drop(writeln!(std::io::stderr(), "guard: signals cannot be blocked: {error}"));
        return ExitCode::from(2);
    }
    let spec = match read_spec() {
        Ok(spec) => spec,
        Err(error) => {
            // Nobody is left to hear of a failure to write this.
            drop(writeln!(std::io::stderr(), "guard: the specification cannot be read: {error}"));
            return ExitCode::from(2);
        }
    };
    // A sandbox is made by a copy of this process, which must have no other thread yet.
    #[cfg(unix)]
    let started = unix::start(&spec);
    // Room for every sender to say its one or two words without waiting.
    let (orders, inbox) = mpsc::sync_channel(64);
    watch_worker(orders.clone());
    #[cfg(unix)]
    let ended = match started {
        Ok(started) => unix::run(&spec, started, &orders, &inbox),
        Err(failure) => Ended::not_started(failure),
    };
    #[cfg(windows)]
    let ended = windows::run(&spec, &inbox);
    if let Err(error) = ended.write(&spec.status_file) {
        // The worker is gone together with its folder, or the disk is full; it then sees an unknown end.
        drop(writeln!(std::io::stderr(), "guard: the status cannot be written: {error}"));
    }
    ExitCode::from(ended.exit_code())
}

fn read_spec() -> Result<Spec, std::io::Error> {
    let mut line = Vec::new();
    let mut stdin = std::io::stdin().lock();
    let n_read = std::io::Read::take(&mut stdin, MAX_SPEC_BYTES).read_until(b'\n', &mut line)?;
    if n_read == 0 || line.last() != Some(&b'\n') {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the line is not complete"));
    }
    serde_json::from_slice(&line).map_err(std::io::Error::from)
}

/// Listens to the worker: `cancel`, or the end of the pipe because it died.
fn watch_worker(orders: mpsc::SyncSender<Order>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line {
                Ok(line) if line.trim() == "cancel" => {
                    if orders.send(Order::End(EndedBy::Cancel)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // A closed inbox means that the guard is on its way out already.
        drop(orders.send(Order::End(EndedBy::WorkerLost)));
    });
}
