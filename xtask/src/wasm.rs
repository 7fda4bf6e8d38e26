//! A compiler for WebAssembly: rustup's, or Debian's where rustup cannot fetch one.
//!
//! rustup's target comes first, everywhere. Where its server cannot be reached, Debian's `rustc-web` compiles the
//! standard library itself. The choice is made anew each time from what is there, never remembered.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    cargo::{cargo, forget_cargo_run, output, run},
    parts::apt,
};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The name under which rustup knows Debian's compiler.
const DEBIAN: &str = "debian-web";

/// Who compiles the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The toolchain that compiles everything else.
    Same,
    /// Debian's, with the standard library built from source.
    Debian,
}

impl Toolchain {
    /// Finds a compiler, or installs one.
    pub(crate) fn prepare() -> Result<Self> {
        if has_target()? {
            return Ok(Self::Same);
        }
        if debian_is_linked() {
            return Ok(Self::Debian);
        }
        println!("rustup target add {TARGET}");
        if run(Command::new("rustup").args(["target", "add", TARGET])).is_ok() && has_target()? {
            return Ok(Self::Same);
        }
        install_debian().with_context(|| {
            format!(
                "no compiler for {TARGET}: `rustup target add {TARGET}` failed (see above), and so did Debian's \
                 rustc-web"
            )
        })?;
        Ok(Self::Debian)
    }

    /// Cargo that can build for [`TARGET`].
    pub(crate) fn cargo(self) -> Result<Command> {
        match self {
            Self::Same => Ok(cargo()),
            Self::Debian => {
                let mut command = Command::new("rustup");
                forget_cargo_run(&mut command);
                command
                    .args(["run", DEBIAN, "cargo"])
                    // Debian's compiler comes without a compiled standard library for this target ...
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                    // ... and without a linker for it, which rustup's own compiler has.
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", rust_lld()?);
                Ok(command)
            }
        }
    }
}

/// Whether the compiler that builds everything else has the target's standard library.
fn has_target() -> Result<bool> {
    let folder = output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(folder.trim()).is_dir())
}

fn debian_is_linked() -> bool {
    let run = Command::new("rustup").args(["run", DEBIAN, "rustc", "--version"]).stderr(Stdio::null()).output();
    run.is_ok_and(|output| output.status.success())
}

fn install_debian() -> Result<()> {
    apt::install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    run(Command::new("rustup").args(["toolchain", "link", DEBIAN, "/usr"]))?;
    if debian_is_linked() { Ok(()) } else { bail!("rustup cannot run it") }
}

/// The linker inside rustup's compiler.
fn rust_lld() -> Result<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = host(&version).context("`rustc -vV` names no host")?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if linker.is_file() { Ok(linker) } else { bail!("rustup's compiler has no rust-lld at {}", linker.display()) }
}

fn host(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("host: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_compiler() {
        let version = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(host(version), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host("rustc 1.95.0"), None);
    }
}
