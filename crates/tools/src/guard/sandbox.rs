//! The sandbox of a run on Linux: namespaces of its own for files, processes and, where it is cut off, the network.
//!
//! Two processes stand between the guard and the tool. The *holder*, a copy of the guard that is made before the
//! guard has a second thread, moves into the namespaces. Its only child is the *init* of the run: it puts the files
//! together (`root`), gives up every right that it has (`rights`), starts the tool and reaps what the tool leaves
//! behind. Neither can be signalled from inside, and the kernel ends everything below the init together with it.
//!
//! What the tool may not see is not there: paths outside of the list do not exist, and neither do other processes,
//! unless the list says otherwise. Nothing here asks for rights that an ordinary account does not have. Invariant:
//! a tool starts in the sandbox that was asked for, or not at all.

mod inside;
mod network;
mod rights;
mod root;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use nix::unistd::{ForkResult, Pid, fork};
use serde::{Deserialize, Serialize};

use super::{Sandbox, Spec, StartFailure, StartFailureKind};

/// A tool in its sandbox, as the guard sees it.
#[derive(Debug)]
pub(super) struct Confined {
    /// The process that holds the sandbox: a child of the guard, which ends when nobody is left inside.
    pub(super) holder: Pid,
    /// What the init says.
    words: BufReader<UnixStream>,
    /// The doors of a cut-off network, which open into the sandbox.
    doors: Vec<TcpListener>,
}

/// What the init tells the guard, a line each.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    Started,
    Failed(StartFailure),
    Ended { code: Option<i32>, signal: Option<i32> },
}

/// Starts the tool in its sandbox. Must be called while this process has one thread.
pub(super) fn start(spec: &Spec, sandbox: &Sandbox, stdin: Stdio) -> Result<Confined, StartFailure> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| failure("a socket", &error))?;
    let Some(holder) = forked().map_err(|error| failure("a process", &error))? else {
        drop(ours);
        inside::hold(spec, sandbox, stdin, theirs);
    };
    drop(theirs);
    let doors = network::receive_doors(&ours).map_err(|error| failure("its doors", &error))?;
    let mut confined = Confined { holder, words: BufReader::new(ours), doors };
    match confined.next_word() {
        Some(Word::Started) => Ok(confined),
        Some(Word::Failed(failure)) => Err(failure),
        Some(Word::Ended { .. }) | None => {
            Err(StartFailure { kind: StartFailureKind::Sandbox, message: "it ended before the tool began".to_owned() })
        }
    }
}

impl Confined {
    /// Waits for the end of the tool; none where the whole sandbox was killed.
    pub(super) fn wait(mut self) -> Option<(Option<i32>, Option<i32>)> {
        match self.next_word() {
            Some(Word::Ended { code, signal }) => Some((code, signal)),
            _ => None,
        }
    }

    /// The doors of its network, once.
    pub(super) fn take_doors(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.doors)
    }

    fn next_word(&mut self) -> Option<Word> {
        let mut line = String::new();
        self.words.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Word {
    /// Nobody is left to hear of a failure to say it: the guard then sees no word at all.
    fn say(&self, mut words: &UnixStream) {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        drop(words.write_all(&line));
    }
}

fn failure(what: &str, error: &std::io::Error) -> StartFailure {
    StartFailure { kind: StartFailureKind::Sandbox, message: format!("{what}: {error}") }
}

/// A copy of this process; none is in the copy.
#[expect(unsafe_code, reason = "the holder must not be a new program: it would have to find itself again inside")]
fn forked() -> std::io::Result<Option<Pid>> {
    // SAFETY: the guard has one thread until its tool was started, and the holder and the init never have a second
    // one, so that no lock can be held by a thread that the copy does not have.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(None),
        ForkResult::Parent { child } => Ok(Some(child)),
    }
}
