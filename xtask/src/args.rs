//! The command line: what may be asked, and nothing else.

use anyhow::{Result, bail};

use crate::{proof::fuzz, tiers::Tier};

pub(crate) const HELP: &str = "\
cargo xtask COMMAND

  up [-- ARGS]    sets up what is missing, builds everything, starts `garageswarm up ARGS`
  build           the same without starting: leaves release/garageswarm, panel inside, in the target folder
  test [TIER] [--long]
                  tests: static, quick, real, or all three in this order
                    static  formatting, lints, documentation, layering
                    quick   everything that needs nothing beside this repository
                    real    the rest: PostgreSQL, a browser, AI command-line tools; says what it left out
                  CI=true installs what a tier needs, and leaves nothing out
                  --long  more rounds of what is random, and planted faults
  ci [--long]     test, then build
  fuzz [--seconds N]
                  the wire formats under libFuzzer, 60 s unless said otherwise
  schemathesis    the REST interface under schemathesis, by its OpenAPI document
  faults [NAME]   plants faults in a copy of the sources and sees that a test notices each
  tidy            the layering rules alone
  bench [ARGS]    builds, then measures

Everything goes to cargo's target folder (CARGO_TARGET_DIR).
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Up(Vec<String>),
    Build,
    Test { tiers: Vec<Tier>, long: bool },
    Ci { long: bool },
    Tidy,
    Fuzz { seconds: u64 },
    Schemathesis,
    Faults { name: Option<String> },
    Bench(Vec<String>),
}

/// Reads the arguments after `cargo xtask`.
pub(crate) fn parse(args: &[String]) -> Result<Task> {
    let Some((command, rest)) = args.split_first() else { return Ok(Task::Help) };
    match command.as_str() {
        "help" | "--help" | "-h" => Ok(Task::Help),
        "up" => Ok(Task::Up(passed_on(rest))),
        "bench" => Ok(Task::Bench(passed_on(rest))),
        "build" => nothing_more(rest, Task::Build),
        "tidy" => nothing_more(rest, Task::Tidy),
        "fuzz" => match rest {
            [] => Ok(Task::Fuzz { seconds: fuzz::SECONDS }),
            [flag, seconds] if flag == "--seconds" => Ok(Task::Fuzz { seconds: seconds.parse()? }),
            [other, ..] => bail!("`{other}` is not understood here: it is `fuzz --seconds N`"),
        },
        "schemathesis" => nothing_more(rest, Task::Schemathesis),
        "faults" => match rest {
            [] => Ok(Task::Faults { name: None }),
            [name] => Ok(Task::Faults { name: Some(name.clone()) }),
            [_, extra, ..] => bail!("`{extra}` is not understood here: one fault, or all of them"),
        },
        "ci" => {
            let (tiers, long) = tiers(rest)?;
            if tiers.is_empty() { Ok(Task::Ci { long }) } else { bail!("`ci` runs every tier; `test` takes one") }
        }
        "test" => {
            let (tiers, long) = tiers(rest)?;
            Ok(Task::Test { tiers: if tiers.is_empty() { Tier::ALL.to_vec() } else { tiers }, long })
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}

/// The arguments of the program that is started; a `--` before them is taken off.
fn passed_on(rest: &[String]) -> Vec<String> {
    rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest).to_vec()
}

fn nothing_more(rest: &[String], task: Task) -> Result<Task> {
    match rest.first() {
        None => Ok(task),
        Some(extra) => bail!("`{extra}` is not understood here"),
    }
}

fn tiers(rest: &[String]) -> Result<(Vec<Tier>, bool)> {
    let mut tiers = Vec::new();
    let mut long = false;
    for arg in rest {
        match arg.as_str() {
            "--long" => long = true,
            name => match Tier::ALL.into_iter().find(|tier| tier.name() == name) {
                Some(tier) => tiers.push(tier),
                None => bail!("`{name}` is not a tier: static, quick, real"),
            },
        }
    }
    // Always in their own order, each once.
    tiers.sort_unstable();
    tiers.dedup();
    Ok((tiers, long))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_follows_up_goes_to_the_program() {
        let wanted = Task::Up(vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        assert_eq!(parsed("up -- --listen 127.0.0.1:0").unwrap(), wanted);
        assert_eq!(parsed("up --listen 127.0.0.1:0").unwrap(), wanted);
    }

    #[test]
    fn test_without_a_tier_runs_all_in_order() {
        assert_eq!(parsed("test").unwrap(), Task::Test { tiers: Tier::ALL.to_vec(), long: false });
        let two = Task::Test { tiers: vec![Tier::Static, Tier::Real], long: true };
        assert_eq!(parsed("test real --long static real").unwrap(), two);
    }

    #[test]
    fn fuzzing_takes_a_minute_unless_said_otherwise() {
        assert_eq!(parsed("fuzz").unwrap(), Task::Fuzz { seconds: 60 });
        assert_eq!(parsed("fuzz --seconds 8").unwrap(), Task::Fuzz { seconds: 8 });
        assert_eq!(parsed("faults scopes").unwrap(), Task::Faults { name: Some("scopes".to_owned()) });
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in
            ["deploy", "test fast", "build now", "tidy --long", "ci quick", "fuzz 9", "fuzz --seconds x", "faults a b"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
