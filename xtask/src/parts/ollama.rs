//! A real Ollama server, built from the Go module proxy alone: processor only, one version, in the cache of parts.
//!
//! `go install` by itself fails: module zips leave out every folder called `vendor`, and three headers of llama.cpp
//! stand in one. An older Ollama had two of them elsewhere, and a module for sound brings the third.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::on_path;
use crate::cargo::run;

const VERSION: &str = "v0.17.4";
/// The last versions that hold a header where a module zip has it.
const JSON_AND_STB: &str = "github.com/ollama/ollama@v0.6.5";
const MINIAUDIO: &str = "github.com/gen2brain/malgo@v0.11.24";

/// What a person types for it.
pub(crate) const BY_HAND: &str = "cargo xtask test real --long builds one, with go and g++ on PATH";

/// The program, if it was built before.
pub(crate) fn found(cache: &Path) -> Option<PathBuf> {
    let built = folder(cache).join("bin/ollama");
    built.is_file().then_some(built)
}

/// Whether this machine has what a build needs.
pub(crate) fn can_build() -> bool {
    ["go", "g++"].into_iter().all(|program| on_path(program).is_some())
}

/// Builds it: about five minutes of a processor. What Go keeps for the next build is removed.
pub(crate) fn build(cache: &Path) -> Result<()> {
    let folder = folder(cache);
    let work = folder.join("build");
    let headers = work.join("include");
    println!("building Ollama {VERSION} (some minutes)");
    for name in ["nlohmann", "stb", "miniaudio"] {
        fs::create_dir_all(headers.join(name))?;
    }
    let older = module(&work, JSON_AND_STB)?.join("llama/llama.cpp/common");
    copy(&older.join("json.hpp"), &headers.join("nlohmann/json.hpp"))?;
    fs::write(headers.join("nlohmann/json_fwd.hpp"), "#include <nlohmann/json.hpp>\n")?;
    copy(&older.join("stb_image.h"), &headers.join("stb/stb_image.h"))?;
    let sound =
        find(&module(&work, MINIAUDIO)?, "miniaudio.h")?.context("miniaudio.h is in no folder of its module")?;
    copy(&sound, &headers.join("miniaudio/miniaudio.h"))?;
    run(go(&work)
        .env("GOBIN", folder.join("bin"))
        .env("CGO_ENABLED", "1")
        .env("CGO_CFLAGS", "-O2")
        .env("CGO_CXXFLAGS", format!("-O2 -I{}", headers.display()))
        .arg("install")
        .arg(format!("-ldflags=-s -w -X=github.com/ollama/ollama/version.Version={}", &VERSION[1..]))
        .arg(format!("github.com/ollama/ollama@{VERSION}")))?;
    fs::remove_dir_all(&work)?;
    if found(cache).is_none() {
        bail!("go install left no program `ollama`");
    }
    Ok(())
}

fn folder(cache: &Path) -> PathBuf {
    cache.join(format!("ollama-{}", &VERSION[1..]))
}

/// Go with caches of its own, which may be deleted (`-modcacherw`).
fn go(work: &Path) -> Command {
    let mut go = Command::new("go");
    go.env("GOPATH", work.join("path"))
        .env("GOMODCACHE", work.join("path/pkg/mod"))
        .env("GOCACHE", work.join("cache"))
        .env("GOFLAGS", "-modcacherw");
    go
}

/// Downloads a module and tells its folder.
fn module(work: &Path, module: &str) -> Result<PathBuf> {
    let output = go(work).args(["mod", "download", "-json", module]).output().context("go cannot be started")?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{module}: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    match (told["Dir"].as_str(), told["Error"].as_str()) {
        (Some(folder), _) => Ok(folder.into()),
        (None, error) => bail!("{module}: {}", error.unwrap_or("it was not downloaded")),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} cannot be copied", from.display()))?;
    Ok(())
}

/// The first file of that name below a folder.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if entry.file_name() == name {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
