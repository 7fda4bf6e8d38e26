//! The environment of a run: a list of what passes, never the worker's own.
//!
//! Provider keys, `CLAUDECODE`, `CLAUDE_CODE_*` and everything else of the person's shell stay out; an
//! adapter adds what its tool needs.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::adapter::RunDirs;

/// What passes under its own name.
const PASSED: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    // The way out of a company's network.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// What programs on Windows do not start without.
const PASSED_ON_WINDOWS: [&str; 14] = [
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "USERNAME",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
];

/// The part of this process's environment that a run may see, with temporary files in a folder of its own.
pub(crate) fn scrubbed(dirs: &RunDirs) -> BTreeMap<String, String> {
    let mut environment = passed(std::env::vars_os());
    if let Some(tmp) = dirs.tmp.to_str() {
        for name in ["TMPDIR", "TMP", "TEMP"] {
            environment.insert(name.to_owned(), tmp.to_owned());
        }
    }
    environment
}

/// What of `variables` a run may see.
pub(crate) fn passed(variables: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| passes(name))
        .collect()
}

fn passes(name: &str) -> bool {
    PASSED.contains(&name)
        || name.starts_with("LC_")
        || (cfg!(windows)
            && (PASSED_ON_WINDOWS.iter().any(|known| known.eq_ignore_ascii_case(name))
                || name.eq_ignore_ascii_case("path")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_the_marks_of_an_outer_tool_stay_out() {
        let outer = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_ENTRYPOINT", "cli"),
            ("ANTHROPIC_API_KEY", "k"),
            ("OPENAI_API_KEY", "k"),
            ("AWS_SECRET_ACCESS_KEY", "k"),
            ("SSH_AUTH_SOCK", "/s"),
            ("LD_PRELOAD", "/x.so"),
            ("GARAGESWARM_RUN", "x"),
        ];
        let seen = passed(outer.into_iter().map(|(name, value)| (name.into(), value.into())));
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["LC_ALL", "PATH"]);
    }
}
