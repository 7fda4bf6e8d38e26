//! From wasm-bindgen's output, `public/` and the page's template to the files that are served.
//!
//! A placeholder `{{NAME}}` in the template or in a style sheet stands for the address of a file: `{{panel.js}}`,
//! `{{panel.wasm}}`, `{{boot.js}}` (the module that starts the panel: the page's policy allows no inline script), or
//! the name of a file in `public/`. One that stands for nothing is an error.

use std::{collections::BTreeMap, io::Write};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};

use crate::folder::Files;

/// What wasm-bindgen calls its output.
pub(crate) const NAME: &str = "panel";

/// Names to addresses.
type Addresses = BTreeMap<String, String>;

/// Puts the files together.
pub(crate) fn bundle(wrapped: &Files, public: &Files, page: &str) -> Result<Files> {
    let mut files = Files::new();
    let mut addresses = Addresses::new();

    let wasm = wrapped.get("panel_bg.wasm").context("wasm-bindgen wrote no panel_bg.wasm")?;
    let wasm_name = add(&mut files, &mut addresses, "panel.wasm", wasm.clone());
    let script = wrapped.get("panel.js").context("wasm-bindgen wrote no panel.js")?;
    let script_name = add(&mut files, &mut addresses, "panel.js", script.clone());
    let boot = format!(
        "import start from \"./{script_name}\";\n\
         start({{ module_or_path: new URL(\"./{wasm_name}\", import.meta.url) }});\n"
    );
    add(&mut files, &mut addresses, "boot.js", boot.into_bytes());
    // Scripts inside crates: their paths stand in the script, so they keep them.
    for (path, content) in wrapped.iter().filter(|(path, _)| path.starts_with("snippets/")) {
        files.insert(format!("assets/{path}"), content.clone());
    }

    // Style sheets last: they may name the others.
    let (sheets, others): (Vec<_>, Vec<_>) = public.iter().partition(|(path, _)| extension(path) == "css");
    for (path, content) in others {
        add(&mut files, &mut addresses, path, content.clone());
    }
    for (path, content) in sheets {
        let text = String::from_utf8(content.clone()).with_context(|| path.clone())?;
        let text = filled(&text, &addresses).with_context(|| format!("ui/public/{path}"))?;
        add(&mut files, &mut addresses, path, text.into_bytes());
    }
    let page = filled(page, &addresses).context("ui/index.html")?;
    files.insert("index.html".to_owned(), page.into_bytes());
    Ok(files)
}

/// Adds a file under a name with its hash, and returns that name.
fn add(files: &mut Files, addresses: &mut Addresses, path: &str, content: Vec<u8>) -> String {
    let hash = blake3::hash(&content).to_hex();
    // Served from one folder: what lies deeper in `public/` shows it in its name.
    let flat = path.replace('/', "-");
    let (stem, extension) = flat.rsplit_once('.').unwrap_or((&flat, "bin"));
    let name = format!("{stem}-{}.{extension}", &hash[..16]);
    addresses.insert(path.to_owned(), format!("/assets/{name}"));
    files.insert(format!("assets/{name}"), content);
    name
}

fn filled(text: &str, addresses: &Addresses) -> Result<String> {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").context("a `{{` without `}}`")?;
        let Some(address) = addresses.get(name.trim()) else { bail!("`{{{{{name}}}}}` stands for no file") };
        filled.push_str(address);
        filled.push_str(rest);
    }
    Ok(filled)
}

/// Adds `NAME.gz` to whatever becomes a tenth smaller.
pub(crate) fn with_gzip(mut files: Files) -> Result<Files> {
    let mut packed = Files::new();
    for (path, content) in &files {
        // No name and no time inside: the same content gives the same bytes.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        let small = encoder.finish()?;
        if small.len() < content.len() / 10 * 9 {
            packed.insert(format!("{path}.gz"), small);
        }
    }
    files.extend(packed);
    Ok(files)
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(wasm: &[u8]) -> Files {
        Files::from([
            ("panel_bg.wasm".to_owned(), wasm.to_vec()),
            ("panel.js".to_owned(), b"export default start;".to_vec()),
            ("snippets/dep-1/inline0.js".to_owned(), b"export const x = 1;".to_vec()),
        ])
    }

    fn public() -> Files {
        Files::from([
            ("style.css".to_owned(), b"a { background: url({{img/logo.svg}}) }".to_vec()),
            ("img/logo.svg".to_owned(), b"<svg/>".to_vec()),
        ])
    }

    const PAGE: &str = "<link href={{style.css}}><script src=\"{{ boot.js }}\"></script>";

    #[test]
    fn every_name_follows_from_its_content() {
        let one = bundle(&wrapped(b"one"), &public(), PAGE).unwrap();
        let two = bundle(&wrapped(b"two"), &public(), PAGE).unwrap();
        let name = |files: &Files, start: &str| files.keys().find(|path| path.starts_with(start)).unwrap().clone();
        assert_ne!(name(&one, "assets/boot-"), name(&two, "assets/boot-"));
        assert_eq!(name(&one, "assets/style-"), name(&two, "assets/style-"));
        let page = String::from_utf8(one["index.html"].clone()).unwrap();
        assert!(page.contains(&name(&one, "assets/boot-")), "{page}");
        let sheet = String::from_utf8(one[&name(&one, "assets/style-")].clone()).unwrap();
        assert!(sheet.contains(&name(&one, "assets/img-logo-")), "{sheet}");
        assert!(one.contains_key("assets/snippets/dep-1/inline0.js"));
    }

    #[test]
    fn a_placeholder_for_nothing_is_an_error() {
        let error = bundle(&wrapped(b""), &Files::new(), PAGE).unwrap_err();
        assert!(format!("{error:#}").contains("{{style.css}}"), "{error:#}");
    }

    #[test]
    fn only_what_gets_smaller_is_packed() {
        let files = Files::from([("big".to_owned(), vec![b'a'; 4096]), ("small".to_owned(), b"x".to_vec())]);
        let packed = with_gzip(files).unwrap();
        assert!(packed.contains_key("big.gz") && !packed.contains_key("small.gz"));
    }
}
