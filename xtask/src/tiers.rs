//! `cargo xtask test`: three tiers, in order, and one line at the end that counts everything.
//!
//! A check of the static tier counts as one test. Nothing is retried. What was left out is said, with how to get it;
//! with `CI=true` it is installed, and what is still left out counts as a failure.

mod binaries;
mod report;
mod run;
mod statics;
mod tally;

use std::{env, process::ExitCode, time::Instant};

use anyhow::Result;

use self::{binaries::TestBinary, tally::Tally};
use crate::{build::panel_only, cargo::Workspace, parts::Parts, wasm::Toolchain};

/// A group of tests by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// The sources.
    Static,
    /// What this repository builds.
    Quick,
    /// Programs of other people: test targets whose name begins with `real_`.
    Real,
}

impl Tier {
    pub(crate) const ALL: [Self; 3] = [Self::Static, Self::Quick, Self::Real];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Quick => "quick",
            Self::Real => "real",
        }
    }

    /// Whether a test binary belongs here.
    fn takes(self, binary: &TestBinary) -> bool {
        match self {
            Self::Static => false,
            Self::Quick => !binary.is_real(),
            Self::Real => binary.is_real(),
        }
    }
}

/// Runs the tiers and says what came of them.
pub(crate) fn test(workspace: &Workspace, tiers: &[Tier], long: bool) -> Result<ExitCode> {
    let all_parts = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
    // The server holds the panel: it is built first, for all tiers alike.
    let toolchain = panel_only(workspace)?;
    let mut binaries = None;
    let mut tallies = Vec::new();
    for &tier in tiers {
        println!("\n== {}", tier.name());
        let start = Instant::now();
        let mut tally = match tier {
            Tier::Static => statics::check(workspace, toolchain),
            Tier::Quick | Tier::Real => {
                let built = binaries.get_or_insert_with(|| binaries::build(workspace));
                tests(workspace, tier, built, all_parts, long)
            }
        };
        if all_parts {
            tally.forbid_left_out();
        }
        println!("{}: {tally}, {:.1} min", tier.name(), start.elapsed().as_secs_f64() / 60.0);
        tallies.push((tier, start.elapsed(), tally));
    }
    Ok(report::print(&tallies))
}

fn tests(workspace: &Workspace, tier: Tier, binaries: &Result<Vec<TestBinary>>, all_parts: bool, long: bool) -> Tally {
    let mut tally = Tally::default();
    let binaries = match binaries {
        Ok(binaries) => binaries,
        Err(error) => {
            tally.fail(format!("the tests do not build: {error:#}"));
            return tally;
        }
    };
    let mut parts = Parts::default();
    if tier == Tier::Real {
        match Parts::gather(workspace, all_parts) {
            Ok(gathered) => parts = gathered,
            Err(error) => tally.fail(format!("a part of the real tier: {error:#}")),
        }
        tally.left_out.append(&mut parts.missing);
    }
    let mut variables = parts.variables.clone();
    if long {
        variables.push(("GARAGESWARM_TEST_LONG", "1".to_owned()));
    }
    for binary in binaries.iter().filter(|binary| tier.takes(binary)) {
        tally += run::run(binary, &variables, long);
    }
    tally
}

impl Toolchain {
    /// Whether it has clippy: Debian's has none.
    fn has_clippy(self) -> bool {
        self == Self::Same
    }
}
