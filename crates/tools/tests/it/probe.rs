//! Stands in for our binary in the tests of this crate: `guard` is the guard itself, `worker` holds a guard
//! and waits to be killed.

use std::io::{BufRead, Write};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("guard") => swarm_tools::guard::main(),
        Some("worker") => worker(),
        _ => ExitCode::from(2),
    }
}

/// Starts a guard with the specification from standard input, and keeps its pipe open until it is killed.
fn worker() -> ExitCode {
    let mut specification = String::new();
    let started = std::io::stdin()
        .lock()
        .read_line(&mut specification)
        .and_then(|_| Command::new(std::env::current_exe()?).arg("guard").stdin(Stdio::piped()).spawn());
    let Ok(mut guard) = started else { return ExitCode::from(2) };
    // `wait` would close the pipe if it stayed in the child.
    let mut control = guard.stdin.take();
    let told = control.as_mut().map(|pipe| pipe.write_all(specification.as_bytes()));
    if !matches!(told, Some(Ok(()))) {
        return ExitCode::from(2);
    }
    // Only the end of the tool ends this.
    drop(guard.wait());
    ExitCode::SUCCESS
}
