//! Arguments of the owner's that a program is given beside our own.
//!
//! Each is one word that begins with `--` and holds its value behind `=`, so that none can become a prompt, a
//! command or the value of another. What an adapter says itself, or relies on, is refused by name.

use crate::account::Obstacle;

/// The arguments that belong to an adapter: names without dashes, in lower case and letters alone.
#[derive(Debug)]
pub(super) struct Owned {
    /// The tool's name for people.
    pub(super) tool: &'static str,
    /// What the adapter says or relies on.
    pub(super) names: &'static [&'static str],
    /// The argument that sets an entry of the tool's configuration, and the entries that are the adapter's.
    pub(super) entries: Option<(&'static str, &'static [&'static str])>,
}

/// Refuses the first argument that would break what the adapter relies on.
pub(super) fn check(args: &[String], owned: &Owned) -> Result<(), Obstacle> {
    for argument in args {
        check_one(argument, owned).map_err(|why| Obstacle::Missing(format!("args in worker.toml: {why}")))?;
    }
    Ok(())
}

fn check_one(argument: &str, owned: &Owned) -> Result<(), String> {
    // The value may be a secret of a server's and is not repeated.
    let (name, value) = argument.split_once('=').map_or((argument, None), |(name, value)| (name, Some(value)));
    let shown: String = name.chars().take(40).collect();
    // Some programs take `--p` for `-p`.
    let plain = name.strip_prefix("--").filter(|name| name.len() > 1 && !name.starts_with('-'));
    let is_one_word = !name.contains(char::is_whitespace) && !argument.contains(char::is_control);
    let Some(plain) = plain.filter(|_| is_one_word) else {
        return Err(format!("\"{shown}\" is not of the form --name or --name=value; each stands by itself"));
    };
    // Some programs take `--outputFormat`, `--output_format` and `--no-output-format` for the same.
    let plain = plain.split('.').next().unwrap_or(plain);
    let letters: String = plain.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let without_no = letters.strip_prefix("no").unwrap_or(&letters);
    if owned.names.iter().any(|name| *name == letters || *name == without_no) {
        return Err(format!("--{plain} is what the worker itself says to {}", owned.tool));
    }
    match owned.entries {
        Some((setter, entries)) if letters == setter => check_entry(value.unwrap_or_default(), entries, owned),
        _ => Ok(()),
    }
}

/// An entry of the configuration, as `key=value`; a section counts with all that stands below it.
fn check_entry(entry: &str, entries: &[&str], owned: &Owned) -> Result<(), String> {
    let key = entry.split('=').next().unwrap_or_default();
    let key: String = key.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if key.is_empty() || entries.iter().any(|ours| within(&key, ours) || within(ours, &key)) {
        return Err(format!(
            "the entry \"{key}\" of its configuration is what the worker itself says to {}",
            owned.tool
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNED: Owned = Owned {
        tool: "Tool",
        names: &["outputformat", "model", "print"],
        entries: Some(("config", &["sandbox_mode", "model_providers", "features.plugins"])),
    };

    #[track_caller]
    fn refused(argument: &str, why: &str) {
        match check(&[argument.to_owned()], &OWNED) {
            Err(Obstacle::Missing(fix)) => assert!(fix.contains(why), "{argument}: {fix}"),
            other => panic!("{argument} gave {other:?}"),
        }
    }

    #[test]
    fn what_the_adapter_says_is_not_said_again() {
        for argument in
            ["--output-format=text", "--outputFormat=text", "--OUTPUT_FORMAT", "--no-output-format", "--model.x=1"]
        {
            refused(argument, "what the worker itself says");
        }
        for argument in ["-p", "--p", "prompt", "--", "---model", "", "--max-turns 5", "--a b=1", "-m=x", "--x=a\nb"] {
            refused(argument, "is not of the form");
        }
        let entries =
            ["sandbox_mode=x", "model_providers.mine.url=x", " \"sandbox_mode\" = x", "features={plugins=true}", ""];
        for entry in entries {
            refused(&format!("--config={entry}"), "of its configuration");
        }
    }

    #[test]
    fn the_rest_passes_and_no_value_shows() {
        let fine = [
            "--max-turns=5",
            "--mcp-config=/a b.json",
            "--modelx",
            "--config=sandbox_modes=1",
            "--config=features.x=1",
        ];
        assert_eq!(check(&fine.map(str::to_owned), &OWNED), Ok(()));
        let secret = check(&["--model=sk-secret".to_owned()], &OWNED);
        assert!(!format!("{secret:?}").contains("sk-secret"), "{secret:?}");
    }
}
