//! The end of `cargo xtask test`: a line for each tier, then what was left out, what failed, and the sum.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use super::{Tier, tally::Tally};

/// Prints it; the exit code says whether everything passed.
pub(crate) fn print(tallies: &[(Tier, Duration, Tally)]) -> ExitCode {
    println!();
    let (mut passed, mut failed) = (0, 0);
    for (tier, time, tally) in tallies {
        println!("{:<7} {:>6.1} min  {tally}", tier.name(), time.as_secs_f64() / 60.0);
        passed += tally.passed;
        failed += tally.failed;
    }
    // Many tests may lack one thing.
    let what: BTreeSet<_> = tallies.iter().flat_map(|(_, _, tally)| &tally.left_out).map(|left| &left.what).collect();
    for what in what {
        println!("left out: {what}");
    }
    for what in tallies.iter().flat_map(|(_, _, tally)| &tally.failures) {
        println!("failed: {what}");
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
