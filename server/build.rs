//! Puts the panel's files into the server.
//!
//! `GARAGESWARM_PANEL_DIR` names the folder that `cargo xtask build` makes. Without it the list is empty, so that
//! plain `cargo check` and `cargo test` need no WebAssembly, and the server says how to build the panel. Writes
//! `panel_files.rs`: `FILES` with (path, media type, etag, whether it never changes, content, content gzipped).

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=GARAGESWARM_PANEL_DIR");
    let mut entries = String::new();
    if let Some(folder) = env::var_os("GARAGESWARM_PANEL_DIR").map(PathBuf::from) {
        println!("cargo:rerun-if-changed={}", folder.display());
        if !folder.join("index.html").is_file() {
            return Err(format!("{} holds no panel: run `cargo xtask build`", folder.display()).into());
        }
        let mut paths = Vec::new();
        collect(&folder, &mut paths)?;
        for path in paths.iter().filter(|path| path.extension().is_none_or(|extension| extension != "gz")) {
            write_entry(&mut entries, &folder, path)?;
        }
    }
    let list =
        format!("pub(crate) static FILES: &[(&str, &str, &str, bool, &[u8], Option<&[u8]>)] = &[\n{entries}];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("panel_files.rs"), list)?;
    Ok(())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), paths)?;
        } else {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn write_entry(entries: &mut String, folder: &Path, path: &Path) -> Result<(), Box<dyn Error>> {
    let relative = path.strip_prefix(folder)?;
    let name = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path)?);
    // Directly in `assets/` a file has its hash in its name.
    let immutable = relative.parent() == Some(Path::new("assets"));
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    // As string literals: a path may hold what ends one.
    let (bytes, packed) = (path.to_string_lossy(), packed.to_string_lossy());
    let gzip = if Path::new(&*packed).is_file() { format!("Some(include_bytes!({packed:?}))") } else { "None".into() };
    writeln!(
        entries,
        "    ({name:?}, {:?}, \"\\\"{:016x}\\\"\", {immutable}, include_bytes!({bytes:?}), {gzip}),",
        media_type(&name),
        hasher.finish(),
    )?;
    Ok(())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
