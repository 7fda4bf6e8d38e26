//! Folders as maps from relative path to content.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};

/// Relative paths with `/`, in order.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Reads everything below a folder. One that does not exist is empty.
pub(crate) fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    if folder.exists() {
        read_below(folder, "", &mut files).with_context(|| folder.display().to_string())?;
    }
    Ok(files)
}

fn read_below(folder: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a file's name is not UTF-8")?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read_below(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Makes a folder hold exactly these files, and leaves alone those that it already has.
pub(crate) fn make_equal(folder: &Path, wanted: &Files) -> Result<()> {
    let present = read(folder)?;
    for path in present.keys().filter(|path| !wanted.contains_key(*path)) {
        fs::remove_file(folder.join(path))?;
    }
    for (path, content) in wanted.iter().filter(|(path, content)| present.get(*path) != Some(content)) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_equal_and_what_is_equal_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = Files::from([("a/kept".to_owned(), b"1".to_vec()), ("old".to_owned(), b"2".to_vec())]);
        make_equal(folder.path(), &first).unwrap();
        let written = |name| fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
        let before = written("a/kept");

        let second = Files::from([("a/kept".to_owned(), b"1".to_vec()), ("new".to_owned(), b"3".to_vec())]);
        make_equal(folder.path(), &second).unwrap();
        assert_eq!(read(folder.path()).unwrap(), second);
        assert_eq!(written("a/kept"), before);
    }
}
