//! Proof that is no test of a crate: fuzzing of the wire formats and of the REST interface, and faults planted to see
//! that a test notices each.

pub(crate) mod faults;
pub(crate) mod fuzz;
pub(crate) mod schemathesis;

use std::process::ExitCode;

use crate::tiers::Tally;

/// The end of a command that ran one of them alone.
pub(crate) fn ended(tally: &Tally) -> ExitCode {
    for left_out in &tally.left_out {
        println!("left out: {}: {}", left_out.test, left_out.what);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 && tally.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
