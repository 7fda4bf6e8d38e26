//! `xtask-bindgen WASM UI OUT`: wraps the panel's wasm, and makes OUT hold exactly the files that the server serves.
//!
//! `OUT/index.html` is `UI/index.html` with its placeholders filled in; everything else is in `OUT/assets/`: the
//! panel, and what lies in `UI/public/`. Invariant: a file directly in `assets/` has the hash of its content in its
//! name, so browsers may keep it for ever. Where it pays, `NAME.gz` stands beside NAME. A file that did not change is
//! not touched, so that cargo does not build the server again.

#![expect(clippy::print_stderr, reason = "a command for people at a terminal")]

mod bundle;
mod folder;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let done = match &args[..] {
        [wasm, ui, out] => run(wasm.as_ref(), ui.as_ref(), out.as_ref()),
        _ => Err(anyhow::anyhow!("usage: xtask-bindgen WASM UI OUT")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(wasm: &Path, ui: &Path, out: &Path) -> Result<()> {
    let scratch = out.with_extension("bindgen");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        // Names of functions are a third of what a phone would load; a panic still says its words and its line.
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name(bundle::NAME)
        .generate(&scratch)
        .with_context(|| format!("wasm-bindgen cannot wrap {}", wasm.display()))?;
    let page = ui.join("index.html");
    let page = std::fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let files = bundle::bundle(&folder::read(&scratch)?, &folder::read(&ui.join("public"))?, &page)?;
    std::fs::remove_dir_all(&scratch)?;
    if files.is_empty() {
        bail!("nothing came of {}", wasm.display());
    }
    folder::make_equal(out, &bundle::with_gzip(files)?)
}
