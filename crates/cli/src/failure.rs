//! How a command ends when it does not succeed: one sentence on what is wrong, one on what to do, and an exit
//! code for scripts.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use swarm_client::{Address, ClientError};
use swarm_proto::ErrorCode;

use crate::readable::{DIM, ERROR};

/// The exit codes. Stable; documented in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The task that was waited for failed or was cancelled, or a check of `doctor` did.
    NotDone = 1,
    /// The command line makes no sense. The parser uses the same.
    Usage = 2,
    /// The coordinator cannot be reached, or does not know who asks.
    NoAccess = 3,
    /// The coordinator understood and said no.
    Refused = 4,
    /// Something on this machine or in the coordinator is broken.
    Fault = 5,
    /// Ended by a signal, as shells count it.
    Interrupted = 130,
}

/// A command that did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    advice: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), advice: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// A fault with the causes that its error names.
    pub(crate) fn fault(error: impl Error) -> Self {
        Self::new(Exit::Fault, with_causes(&error))
    }

    /// Says what to do.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What is wrong.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to do.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Nothing needs to be said: it has been said already, or nobody reads any more.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    pub(crate) fn not_signed_in(address: &Address) -> Self {
        Self::new(Exit::NoAccess, format!("you are not signed in to {address}"))
            .advise(format!("sign in with `garageswarm login --coordinator {address}`"))
    }

    /// Says it on standard error and returns the code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.what.is_empty() {
            let mut stderr = anstream::stderr().lock();
            // Where standard error is closed there is nobody to tell.
            writeln!(stderr, "{ERROR}error:{ERROR:#} {}", self.what).ok();
            if let Some(advice) = &self.advice {
                writeln!(stderr, "  {DIM}->{DIM:#}   {advice}").ok();
            }
        }
        ExitCode::from(self.exit as u8)
    }
}

/// The error and its causes in one line. A cause that its effect has quoted already is left out.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Api(problem) => {
                let exit = match problem.code {
                    ErrorCode::Unauthenticated | ErrorCode::WrongPassword | ErrorCode::SpentCredential => {
                        Exit::NoAccess
                    }
                    ErrorCode::InvalidRequest => Exit::Usage,
                    _ if problem.status >= 500 => Exit::Fault,
                    _ => Exit::Refused,
                };
                let failure = Self::new(exit, problem.detail.clone());
                match (problem.code, &problem.request_id) {
                    (ErrorCode::Unauthenticated, _) => failure.advise("sign in with `garageswarm login`"),
                    (_, Some(id)) if problem.status >= 500 => {
                        failure.advise(format!("request {id} in the coordinator's log says more"))
                    }
                    _ => failure,
                }
            }
            // The cause of these is the system's word for the same; the message says what to do.
            ClientError::Unreachable { .. } | ClientError::Timeout { .. } => {
                Self::new(Exit::NoAccess, error.to_string())
            }
            _ if error.is_unreachable() => Self::new(Exit::NoAccess, with_causes(&error)),
            _ => Self::fault(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever read our output has enough: `garageswarm task list | head` is no failure worth a word.
        if error.kind() == io::ErrorKind::BrokenPipe { Self::silent(Exit::Fault) } else { Self::fault(error) }
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Problem;

    use super::*;

    fn exit_of(code: ErrorCode) -> u8 {
        Failure::from(ClientError::Api(Box::new(Problem::new(code, "no")))).exit as u8
    }

    #[test]
    fn scripts_branch_on_the_exit_code() {
        let table: Vec<_> = ErrorCode::ALL.iter().map(|code| format!("{} {code}", exit_of(*code))).collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] io::Error);
        assert_eq!(with_causes(&Outer(io::Error::other("inner"))), "outer: inner");
    }
}
