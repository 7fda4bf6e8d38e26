//! `garageswarm doctor`: what is found on this machine, what is missing, and how to mend it.
//!
//! It changes nothing. Each check stands alone, so that one broken thing does not hide the others.

mod checks;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::readable::{BOLD, DIM, ERROR, GOOD, WARN, plain};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The coordinator's data folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// It works, with less than there could be.
    Note,
    /// Something does not work without it.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, found: found.into(), mend: None }
    }

    fn note(name: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Note, found: found.into(), mend: Some(mend.into()) }
    }

    fn missing(name: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Missing, found: found.into(), mend: Some(mend.into()) }
    }
}

pub(crate) async fn run(args: DoctorArgs, context: &Context) -> Result<(), Failure> {
    let checks = checks::all(&args, context).await?;
    context.output.object(&checks, |checks| words(checks))?;
    if checks.iter().any(|check| check.state == State::Missing) { Err(Failure::silent(Exit::NotDone)) } else { Ok(()) }
}

fn words(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let lines = checks.iter().map(|check| {
        let (mark, style) = match check.state {
            State::Ok => ("ok", GOOD),
            State::Note => ("note", WARN),
            State::Missing => ("MISSING", ERROR),
        };
        let mend =
            check.mend.as_deref().map(|mend| format!("\n{:width$}  {:7}  {DIM}-> {}{DIM:#}", "", "", plain(mend)));
        format!(
            "{BOLD}{:width$}{BOLD:#}  {style}{mark:7}{style:#}  {}{}",
            check.name,
            plain(&check.found),
            mend.unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_findings_in_words() {
        let checks = [
            Check::ok("guard", "runs are guarded"),
            Check::note("keychain", "there is none that answers", "your sign-in is kept in a file"),
            Check::missing("coordinator", "nothing answers", "start it with `garageswarm up`"),
        ];
        insta::assert_snapshot!(anstream::adapter::strip_str(&words(&checks)).to_string(), @r"
        guard        ok       runs are guarded
        keychain     note     there is none that answers
                              -> your sign-in is kept in a file
        coordinator  MISSING  nothing answers
                              -> start it with `garageswarm up`
        ");
    }
}
