//! Faults planted on purpose: a test that no fault turns red proves nothing.
//!
//! It happens in a copy of the tracked files with a target folder of its own: cargo takes packages of the same name
//! and version from two checkouts for one, and the real sources are nobody's to damage. The copy stays, so that the
//! next time only what changed is compiled.

mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use self::table::{FAULTS, Fault, LIB, Test};
use crate::{
    cargo::{Workspace, cargo, output},
    steps::short,
    tiers::Tally,
};

/// Plants every fault, or the one of that name. A fault counts as one test.
pub(crate) fn check(workspace: &Workspace, name: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    let faults: Vec<_> = FAULTS.iter().filter(|fault| name.is_none_or(|name| name == fault.name)).collect();
    if faults.is_empty() {
        let names: Vec<_> = FAULTS.iter().map(|fault| fault.name).collect();
        tally.fail(format!("there is no such fault; there are {}", names.join(", ")));
        return tally;
    }
    println!("-- {} planted faults", faults.len());
    match Copy::make(workspace).and_then(|copy| copy.is_green(&faults).map(|()| copy)) {
        Ok(copy) => {
            for fault in faults {
                let start = Instant::now();
                match copy.plant(fault) {
                    Ok(()) => {
                        let time = short(start.elapsed());
                        println!("  {:<16} noticed by {} ({time}): {}", fault.name, fault.noticed_by.name, fault.means);
                        tally.pass();
                    }
                    Err(error) => tally.fail(format!("fault {}: {error:#}\n  {}", fault.name, fault.means)),
                }
            }
        }
        Err(error) => tally.fail(format!("faults: {error:#}")),
    }
    tally
}

/// The copy of the sources that is damaged.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target.join("faults");
        let copy = Self { tree: folder.join("tree"), target: folder.join("target") };
        let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(&workspace.root))?;
        let mut kept = BTreeSet::new();
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (workspace.root.join(name), copy.tree.join(name));
            // A file that was deleted and not yet committed.
            let Ok(content) = fs::read(&from) else { continue };
            // What is the same keeps its time, so that cargo leaves it alone.
            if fs::read(&to).ok().as_ref() != Some(&content) {
                fs::create_dir_all(to.parent().unwrap_or(&copy.tree))?;
                fs::copy(&from, &to).with_context(|| to.display().to_string())?;
            }
            kept.insert(to);
        }
        remove_others(&copy.tree, &kept)?;
        Ok(copy)
    }

    /// Whether every test that must turn red is green before.
    fn is_green(&self, faults: &[&Fault]) -> Result<()> {
        let mut binaries: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for Test { package, target, name } in faults.iter().map(|fault| fault.noticed_by) {
            binaries.entry((package, target)).or_default().insert(name);
        }
        for ((package, target), names) in binaries {
            println!("  {} of {package} {target} without a fault", names.len());
            self.compiled(package, target)?;
            let names: Vec<_> = names.into_iter().collect();
            let said = self.ran(package, target, &names)?;
            if !said.contains(&format!("{} passed; 0 failed", names.len())) {
                bail!("these tests are not green, or not there, even without a fault:\n{said}");
            }
        }
        Ok(())
    }

    /// Plants a fault, and takes it out again whatever happens.
    fn plant(&self, fault: &Fault) -> Result<()> {
        let path = self.tree.join(fault.file);
        let text = fs::read_to_string(&path).with_context(|| fault.file.to_owned())?;
        fs::write(&path, planted(fault, &text)?)?;
        let noticed = self.is_noticed(fault);
        fs::write(&path, text)?;
        noticed
    }

    fn is_noticed(&self, fault: &Fault) -> Result<()> {
        let Test { package, target, name } = fault.noticed_by;
        self.compiled(package, target).context("with the fault it does not compile, so no test notices anything")?;
        let said = self.ran(package, target, &[name])?;
        if said.contains(&format!("test {name} ... FAILED")) && said.contains("panicked at") {
            return Ok(());
        }
        bail!("{name} does not notice it:\n{said}")
    }

    fn compiled(&self, package: &str, target: &str) -> Result<()> {
        let ended = self.test(package, target).arg("--no-run").stdout(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() { Ok(()) } else { bail!("{said}") }
    }

    /// What the tests of these names say, whether they pass or not.
    fn ran(&self, package: &str, target: &str, names: &[&str]) -> Result<String> {
        let ended = self.test(package, target).args(["--", "--exact"]).args(names).output()?;
        Ok(format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr)))
    }

    fn test(&self, package: &str, target: &str) -> Command {
        let mut command = cargo();
        command.args(["test", "--package", package]);
        if target == LIB {
            command.arg(LIB);
        } else {
            command.args(["--test", target]);
        }
        // A panel is nothing that these tests need, and a damaged test needs no colours.
        command
            .env("CARGO_TARGET_DIR", &self.target)
            .env_remove("GARAGESWARM_PANEL_DIR")
            .env("CARGO_TERM_COLOR", "never");
        command.current_dir(&self.tree).stdin(Stdio::null());
        command
    }
}

/// The file with the fault in it.
fn planted(fault: &Fault, text: &str) -> Result<String> {
    match text.matches(fault.right).count() {
        1 => Ok(text.replacen(fault.right, fault.wrong, 1)),
        n => bail!("what it replaces stands {n} times in {}: correct xtask/src/proof/faults/table.rs", fault.file),
    }
}

/// Removes files of an older copy that are no longer tracked.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_fault_still_has_its_place() {
        for fault in &FAULTS {
            let text = fs::read_to_string(root().join(fault.file)).unwrap();
            let damaged = planted(fault, &text).unwrap_or_else(|error| panic!("{}: {error}", fault.name));
            assert_ne!(damaged, text, "{}", fault.name);
        }
    }

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_test_that_exists() {
        let names: BTreeSet<_> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        let mut sources = String::new();
        for folder in ["server/src", "server/tests", "crates/engine/src"] {
            read_all(&root().join(folder), &mut sources);
        }
        for fault in &FAULTS {
            let name = fault.noticed_by.name.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("{name}(")), "{}: no test is called {name}", fault.name);
        }
    }

    fn read_all(folder: &Path, sources: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_all(&path, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
}
