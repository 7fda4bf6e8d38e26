//! `cargo xtask test`: three tiers, in order, and one line at the end that counts everything.
//!
//! A check of the static tier counts as one test. Nothing is retried. A test that needs a program of other people looks
//! for it in its environment variable and, where that is not set, says `left out: WHAT (HOW TO GET IT)` and returns:
//! the quick tier sets it aside, the real tier runs it again with everything that is there, and the report says what
//! was still left out. With `CI=true` the real tier installs what is missing, and what is left out has failed.

mod binaries;
mod report;
mod run;
mod statics;
mod tally;

use std::{env, process::ExitCode, time::Instant};

use anyhow::Result;

pub(crate) use self::tally::{LeftOut, Tally};
use self::{binaries::TestBinary, run::Which};
use crate::{
    build::panel_only,
    cargo::Workspace,
    parts::Parts,
    proof::{faults, fuzz, schemathesis},
};

/// A group of tests by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// The sources.
    Static,
    /// What this repository builds.
    Quick,
    /// Programs of other people.
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
}

/// Whether what is missing may be installed, as in continuous integration.
pub(crate) fn may_install() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Runs the tiers and says what came of them.
pub(crate) fn test(workspace: &Workspace, tiers: &[Tier], long: bool) -> Result<ExitCode> {
    let install = may_install();
    // The server holds the panel: it is built first, for all tiers alike.
    let toolchain = panel_only(workspace)?;
    let mut tests = Tests { workspace, long, built: None, set_aside: None };
    let mut tallies = Vec::new();
    for &tier in tiers {
        println!("\n== {}", tier.name());
        let start = Instant::now();
        let mut tally = match tier {
            Tier::Static => statics::check(workspace, toolchain),
            Tier::Quick => tests.quick(),
            Tier::Real => tests.real(install),
        };
        if tier == Tier::Quick && tiers.contains(&Tier::Real) {
            tally.left_out.clear();
        }
        println!("{}: {tally}, {:.1} min", tier.name(), start.elapsed().as_secs_f64() / 60.0);
        tallies.push((tier, start.elapsed(), tally));
    }
    Ok(report::print(&tallies))
}

/// The test binaries, and what the quick tier learns for the real one.
struct Tests<'a> {
    workspace: &'a Workspace,
    long: bool,
    built: Option<Vec<TestBinary>>,
    /// Tests that lacked something, beside the place of their binary.
    set_aside: Option<Vec<(usize, Vec<String>)>>,
}

impl Tests<'_> {
    fn quick(&mut self) -> Tally {
        let mut sum = Tally::default();
        if let Err(error) = self.build() {
            sum.fail(format!("the tests do not build: {error:#}"));
            return sum;
        }
        let mut set_aside = Vec::new();
        for (place, binary) in self.built.iter().flatten().enumerate() {
            let tally = run::run(binary, Which::All, &self.variables(&Parts::default()), self.long);
            if !tally.left_out.is_empty() {
                set_aside.push((place, tally.left_out.iter().map(|left_out| left_out.test.clone()).collect()));
            }
            sum += tally;
        }
        self.set_aside = Some(set_aside);
        sum
    }

    /// Runs what was set aside; without a quick tier before it everything, because only the tests know.
    fn real(&mut self, install: bool) -> Tally {
        let mut sum = Tally::default();
        if let Err(error) = self.build() {
            sum.fail(format!("the tests do not build: {error:#}"));
            return sum;
        }
        let parts = Parts::gather(self.workspace, install, self.long, &mut sum);
        let variables = self.variables(&parts);
        let binaries = self.built.as_deref().unwrap_or_default();
        match &self.set_aside {
            Some(set_aside) => {
                for (place, names) in set_aside {
                    sum += run::run(&binaries[*place], Which::Named(names), &variables, self.long);
                }
            }
            None => {
                for binary in binaries {
                    sum += run::run(binary, Which::All, &variables, self.long);
                }
            }
        }
        sum += fuzz::check(self.workspace, if self.long { fuzz::LONG_SECONDS } else { fuzz::SECONDS }, install);
        sum += schemathesis::check(self.workspace, install);
        if self.long {
            sum += faults::check(self.workspace, None);
        }
        if install {
            sum.forbid_left_out();
        }
        sum
    }

    fn build(&mut self) -> Result<()> {
        if self.built.is_none() {
            self.built = Some(binaries::build(self.workspace)?);
        }
        Ok(())
    }

    fn variables(&self, parts: &Parts) -> Vec<(&'static str, String)> {
        let long = self.long.then(|| ("GARAGESWARM_TEST_LONG", "1".to_owned()));
        parts.variables.iter().cloned().chain(long).collect()
    }
}
