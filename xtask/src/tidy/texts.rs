//! What only the text of a manifest or a source says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::cargo::Workspace;

/// Checks manifests, sources, and the codemap of ARCHITECTURE.md.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let codemap = fs::read_to_string(workspace.root.join("ARCHITECTURE.md")).unwrap_or_default();
    for package in &workspace.packages {
        let text = fs::read_to_string(&package.manifest).with_context(|| package.manifest.display().to_string())?;
        found.extend(manifest(&text).into_iter().map(|what| format!("{}: {what}", package.name)));
        let folder = package.folder().strip_prefix(&workspace.root).unwrap_or(package.folder());
        if !is_mapped(&codemap, folder) {
            found.push(format!("ARCHITECTURE.md does not mention `{}`", folder.display()));
        }
        for source in sources(&package.folder().join("src"))? {
            if !starts_with_header(&source, &fs::read_to_string(&source)?) {
                found.push(format!("{} does not begin with `//!`: what it owns, what it refuses", source.display()));
            }
        }
    }
    Ok(found)
}

/// Whether the codemap names a package's folder, or one around it.
fn is_mapped(codemap: &str, folder: &Path) -> bool {
    folder.ancestors().any(|folder| {
        let folder = folder.to_string_lossy().replace('\\', "/");
        !folder.is_empty() && (codemap.contains(&format!("`{folder}`")) || codemap.contains(&format!("`{folder}/`")))
    })
}

/// The rules of a manifest: lints and versions come from the workspace.
fn manifest(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut section = "";
    let mut has_lints = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            // `[dependencies.serde]` says the rest in its own lines.
            continue;
        }
        has_lints |= section == "lints" && line == "workspace = true";
        let Some((key, value)) = line.split_once('=') else { continue };
        if section.ends_with("dependencies") && !key.contains(".workspace") && !value.contains("workspace = true") {
            found.push(format!("`{}` does not come from [workspace.dependencies]", key.trim()));
        }
        let alone = section.rsplit_once("dependencies.").map(|(_, name)| name);
        if let (Some(name), "version" | "path" | "git") = (alone, key.trim()) {
            found.push(format!("`{name}` does not come from [workspace.dependencies]"));
        }
    }
    if !has_lints {
        found.push("[lints] workspace = true is missing".to_owned());
    }
    found
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Test modules need no header: their names say what they test.
fn starts_with_header(path: &Path, text: &str) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
        || text.starts_with("//!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_lints_come_from_the_workspace() {
        let good = "[package]\nversion.workspace = true\n[dependencies]\nserde.workspace = true\n\
            a = { workspace = true, features = [\"b\"] }\n[target.'cfg(unix)'.dependencies]\nnix.workspace = true\n\
            [dependencies.tokio]\nworkspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(manifest(good), Vec::<String>::new());

        let bad = "[dependencies]\nserde = \"1\"\n[dev-dependencies]\ninsta = { version = \"1\" }\n\
            [build-dependencies.cc]\nversion = \"1\"\n";
        assert_eq!(manifest(bad).len(), 4, "{:?}", manifest(bad));
    }

    #[test]
    fn the_codemap_names_every_package_or_what_is_around_it() {
        let codemap = "| swarm-model | `crates/model` | ids |\n| xtask | `xtask/` | automation |";
        assert!(is_mapped(codemap, Path::new("crates/model")));
        assert!(is_mapped(codemap, Path::new("xtask/bindgen")));
        assert!(!is_mapped(codemap, Path::new("crates/proto")));
    }

    #[test]
    fn a_module_says_what_it_owns() {
        assert!(starts_with_header(Path::new("src/lease.rs"), "//! Leases.\n"));
        assert!(!starts_with_header(Path::new("src/lease.rs"), "use std::fs;\n"));
        assert!(starts_with_header(Path::new("src/lease/tests.rs"), "use super::*;\n"));
    }
}
