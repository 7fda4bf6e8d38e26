//! The guard on Windows: the tool and everything it starts live in one job object, which ends as a whole.
//!
//! Windows has no TERM: the job is terminated at once.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use process_wrap::std::{ChildWrapper, CommandWrap, JobObject};

use super::{Ended, EndedBy, Order, Spec, StartFailure};

/// How often the guard looks whether the first process has ended: a job tells only when it is empty.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(spec: &Spec, inbox: &mpsc::Receiver<Order>) -> Ended {
    if spec.sandbox.is_some() {
        return Ended::not_started(StartFailure::no_sandbox());
    }
    let mut child = match start(spec) {
        Ok(child) => child,
        Err(error) => return Ended::not_started(StartFailure::of(&error)),
    };
    let mut ended = Ended { code: None, signal: None, by: EndedBy::Itself, swept: 0, left: 0, start_failure: None };
    loop {
        match inbox.recv_timeout(LOOK) {
            Ok(Order::End(by)) => {
                ended.by = by;
                break;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                ended.by = EndedBy::WorkerLost;
                break;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => match child.try_wait() {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => break,
            },
        }
    }
    // Ends whoever is left in the job; an empty job is no failure.
    drop(child.start_kill());
    ended.code = child.wait().ok().and_then(|status| status.code());
    ended
}

fn start(spec: &Spec) -> std::io::Result<Box<dyn ChildWrapper>> {
    let (program, arguments) = spec
        .argv
        .split_first()
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the argument vector is empty"))?;
    let stdin = match &spec.stdin_file {
        Some(path) => Stdio::from(std::fs::File::open(path)?),
        None => Stdio::null(),
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&spec.env).current_dir(&spec.cwd).stdin(stdin);
    CommandWrap::from(command).wrap(JobObject).spawn()
}
