//! The wire formats under libFuzzer: `xtask/fuzz`, each target for its part of the time.
//!
//! It is what cargo-fuzz does, without its nightly compiler: coverage counters come from LLVM's own pass, which the
//! stable compiler has, and no sanitizer watches, because none of this code is unsafe. What a target found worth
//! keeping stays in the target folder and is where the next run begins, after the seeds of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    cargo::{Workspace, cargo, output, run},
    parts::{apt, on_path},
    tiers::{LeftOut, Tally},
};

const TARGETS: [&str; 4] = ["worker_frames", "viewer_frames", "rest_bodies", "texts"];

/// How long all of them run together, and with `--long`.
pub(crate) const SECONDS: u64 = 60;
pub(crate) const LONG_SECONDS: u64 = 360;

/// What cargo-fuzz gives to the compiler with `--sanitizer none`.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Bytes of an input: a frame with everything in it is shorter.
const LONGEST: &str = "-max_len=16384";

/// Builds and runs every target. A target counts as one test.
pub(crate) fn check(workspace: &Workspace, seconds: u64, install: bool) -> Tally {
    println!("-- fuzzing the wire formats for {seconds} s");
    let mut tally = Tally::default();
    match compiler(install).and_then(|missing| match missing {
        Some(what) => Ok(Err(what)),
        None => built(workspace).map(Ok),
    }) {
        Ok(Ok(programs)) => {
            for (name, program) in TARGETS.iter().zip(programs) {
                match fuzzed(workspace, name, &program, seconds.div_ceil(TARGETS.len() as u64)) {
                    Ok(executions) => {
                        println!("  {name}: {executions} executions");
                        tally.pass();
                    }
                    Err(error) => tally.fail(format!("fuzz {name}: {error:#}")),
                }
            }
        }
        Ok(Err(what)) => tally.left_out.push(LeftOut { test: "fuzz".to_owned(), what }),
        Err(error) => tally.fail(format!("fuzz: {error:#}")),
    }
    tally
}

/// What is missing to build libFuzzer, where it cannot be installed from here.
fn compiler(install: bool) -> Result<Option<String>> {
    if cfg!(windows) {
        return Ok(Some("fuzzing runs on Linux and macOS".to_owned()));
    }
    if ["c++", "g++", "clang++"].into_iter().any(|name| on_path(name).is_some()) {
        return Ok(None);
    }
    if install {
        apt::install(&["g++"])?;
        return Ok(None);
    }
    Ok(Some("a C++ compiler for libFuzzer (apt-get install g++)".to_owned()))
}

/// The programs in the order of [`TARGETS`].
fn built(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.target.join("fuzz");
    // With a target named, build scripts and macros are compiled without counters, which they could not link.
    let host = host()?;
    let mut command = cargo();
    command.args(["build", "--release", "--target", &host, "--manifest-path", "xtask/fuzz/Cargo.toml"]);
    command.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut command)?;
    Ok(TARGETS.iter().map(|name| folder.join(&host).join("release").join(name)).collect())
}

fn host() -> Result<String> {
    let about = output(Command::new("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Runs one target; gives how often it was tried.
fn fuzzed(workspace: &Workspace, name: &str, program: &Path, seconds: u64) -> Result<u64> {
    let found = workspace.target.join("fuzz/corpus").join(name);
    let crashes = workspace.target.join("fuzz/crashes").join(name);
    for folder in [&found, &crashes] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut command = Command::new(program);
    command.arg(format!("-max_total_time={seconds}")).arg(LONGEST);
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    // The folder's name must end in a separator, or it is the beginning of a file's name.
    command.arg(format!("-artifact_prefix={}{}", crashes.display(), std::path::MAIN_SEPARATOR));
    command.arg(&found).arg(workspace.root.join("xtask/fuzz/seeds").join(name));
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let ended = ended.with_context(|| format!("cannot start {}", program.display()))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() {
        return executions(&said).context("libFuzzer did not say how often it tried");
    }
    let input = said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.trim()));
    let why = said.lines().skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: libFuzzer"));
    let why = why.take(4).collect::<Vec<_>>().join("\n");
    match input {
        Some(input) => bail!("{why}\nthe input is {input}\nto run it again: {} {input}", program.display()),
        None => bail!("{}, and no input was kept:\n{said}", ended.status),
    }
}

fn executions(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_what_libfuzzer_counted() {
        assert_eq!(executions("Done 7 runs\nstat::number_of_executed_units: 569687\nstat::x: 1\n"), Some(569_687));
        assert_eq!(executions("Done"), None);
    }

    #[test]
    fn every_target_has_its_source_and_seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let mut sources: Vec<_> = fs::read_dir(folder.join("src/bin"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        sources.sort();
        let mut targets = TARGETS.map(str::to_owned);
        targets.sort();
        assert_eq!(sources, targets);
        for name in TARGETS {
            assert!(fs::read_dir(folder.join("seeds").join(name)).unwrap().count() >= 5, "{name}");
        }
    }
}
