//! Debian's and Ubuntu's packages.

use std::{
    process::{Command, Stdio},
    sync::Once,
};

use anyhow::{Result, bail};

use crate::cargo::run;

/// Installs packages, or says why it cannot and what a person would type.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    static UPDATED: Once = Once::new();

    let by_hand = format!("apt-get install {}", packages.join(" "));
    if super::on_path("apt-get").is_none() {
        bail!("there is no apt-get here; on Debian and Ubuntu it is `{by_hand}`");
    }
    let Some(root) = as_root() else { bail!("not root, and sudo asks for a password: `sudo {by_hand}`") };
    // A list that could not be brought up to date may still do; the installation tells.
    UPDATED.call_once(|| drop(run(apt_get(root).args(["update", "-qq"]))));
    println!("{by_hand}");
    run(apt_get(root).args(["install", "--yes", "-qq", "--no-install-recommends"]).args(packages))
}

/// The words before a command that needs root.
fn as_root() -> Option<&'static [&'static str]> {
    if is_root() {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status();
    sudo.is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}

fn apt_get(root: &[&str]) -> Command {
    let words = [root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
