//! Becomes another program: the last act of `up` and `bench`.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::forget_cargo_run;

/// Replaces this process, so that signals and the terminal reach the program directly. Returns only on an error.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    cleaned(command);
    let program = command.get_program().to_owned();
    Err(anyhow::Error::new(command.exec()).context(format!("cannot start {}", program.display())))
}

/// Runs the program to its end: Windows has no way to become one. Ctrl-C reaches both.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    use anyhow::Context;

    cleaned(command);
    let status = command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Leaves out what belongs to this build only: the program starts tools, and these may build other projects.
fn cleaned(command: &mut Command) {
    forget_cargo_run(command);
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        command.env_remove(name);
    }
}
