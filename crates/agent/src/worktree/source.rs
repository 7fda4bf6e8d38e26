//! Which repository a task names: whether this machine goes there for whom, and how it is shown to people.
//!
//! The machine's own files and its owner's credentials are for its owner's tasks alone; what other people name is
//! asked over https, as nobody. What an address holds of a password is sent in a header and written down nowhere.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use swarm_model::worker::RefusalReason;
use url::Url;

/// Longer than any address or name of a base that means something.
const MAX_BYTES: usize = 2048;

/// A repository that this machine may ask.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// What git is given: with no password in it.
    address: String,
    /// The header that carries what stood in the address, and for which addresses git sends it.
    credential: Option<(String, String)>,
    /// Whether it is the machine owner's task.
    by_owner: bool,
}

impl Source {
    /// The repository of a task, or why this machine does not go there.
    pub(crate) fn parse(text: &str, by_owner: bool) -> Result<Self, RefusalReason> {
        let text = plain(text, "the repository's address")?;
        let is_windows_path = cfg!(windows) && text.as_bytes().get(1) == Some(&b':');
        if text.contains("://") {
            return Self::of_url(text, by_owner);
        }
        if text.contains("::") {
            return Err(invalid(format!("the repository {text} names a helper program: give its address itself")));
        }
        if Path::new(text).is_absolute() || is_windows_path {
            return Self::local(text, Path::new(text), by_owner);
        }
        match text.split_once(':') {
            // `user@host:path`, as ssh takes it.
            Some((host, path)) if !host.contains('/') && !host.starts_with('-') && !path.is_empty() => {
                Self::by_ssh(text.to_owned(), by_owner)
            }
            _ => Err(invalid(format!(
                "the repository {text} is no address and no whole path: write https://..., ssh://..., or a path from the root"
            ))),
        }
    }

    fn of_url(text: &str, by_owner: bool) -> Result<Self, RefusalReason> {
        let mut url = Url::parse(text).map_err(|_| invalid("the repository's address cannot be read".to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        if host.starts_with('-') {
            return Err(invalid("the repository's address has no host".to_owned()));
        }
        match url.scheme() {
            "https" | "http" => {
                if !by_owner && url.scheme() != "https" {
                    return Err(not_for_others("it is asked without encryption"));
                }
                let credential = credential_of(&url);
                strip(&mut url);
                Ok(Self { address: url.to_string(), credential, by_owner })
            }
            "ssh" => {
                // ssh takes no password from an address.
                url.set_password(None).ok();
                Self::by_ssh(url.to_string(), by_owner)
            }
            "git" if by_owner => {
                strip(&mut url);
                Ok(Self { address: url.to_string(), credential: None, by_owner })
            }
            "git" => Err(not_for_others("it is asked without encryption")),
            "file" => {
                let path = url.to_file_path().map_err(|()| invalid("the address names no file".to_owned()))?;
                // As it stands: from a `file` address git copies, from a path it would link.
                Self::local(text, &path, by_owner)
            }
            other => Err(invalid(format!("a repository is not asked by {other}: use https, ssh or a path"))),
        }
    }

    fn by_ssh(address: String, by_owner: bool) -> Result<Self, RefusalReason> {
        if by_owner {
            return Ok(Self { address, credential: None, by_owner });
        }
        Err(not_for_others("it is asked with the machine owner's ssh key"))
    }

    fn local(address: &str, path: &Path, by_owner: bool) -> Result<Self, RefusalReason> {
        if !by_owner {
            return Err(not_for_others("it is a folder of the machine"));
        }
        if !path.is_dir() {
            let detail = format!("the folder {} is not on this machine", path.display());
            return Err(RefusalReason::RepositoryOutOfReach { detail });
        }
        Ok(Self { address: address.to_owned(), credential: None, by_owner })
    }

    /// What git is given.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is the machine owner's task.
    pub(crate) fn is_of_owner(&self) -> bool {
        self.by_owner
    }

    /// A setting of git, and its value, that brings the credential.
    pub(crate) fn credential(&self) -> Option<(&str, &str)> {
        self.credential.as_ref().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// By which ways git may go, as `GIT_ALLOW_PROTOCOL` has it.
    pub(crate) fn protocols(&self) -> &'static str {
        if self.by_owner { "https:http:ssh:git:file" } else { "https" }
    }
}

/// The address as it may be shown: it holds no password, and nothing behind a question mark.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.address.split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

/// The base of a task as it may be given to git.
pub(crate) fn base(text: &str) -> Result<String, RefusalReason> {
    plain(text, "the base").map(str::to_owned)
}

/// Text that is no flag and no trick.
fn plain<'a>(text: &'a str, what: &str) -> Result<&'a str, RefusalReason> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err(invalid(format!("{what} is empty or longer than {MAX_BYTES} bytes")));
    }
    if text.starts_with('-') {
        return Err(invalid(format!("{what} begins with \"-\"")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(format!("{what} holds characters that nobody can see")));
    }
    Ok(text)
}

fn strip(url: &mut Url) {
    // Only an address without a host refuses, and it has none to strip.
    url.set_username("").ok();
    url.set_password(None).ok();
}

/// User and password of an address, as git sends them to that host alone.
fn credential_of(url: &Url) -> Option<(String, String)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    let key = format!("http.{}/.extraHeader", url.origin().ascii_serialization());
    Some((key, format!("Authorization: Basic {}", STANDARD.encode(pair))))
}

fn invalid(detail: String) -> RefusalReason {
    RefusalReason::InvalidInput { detail }
}

fn not_for_others(why: &str) -> RefusalReason {
    let detail = format!("{why}, which its owner's own tasks alone may use; other people's take https addresses");
    RefusalReason::RepositoryOutOfReach { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, by_owner: bool) -> String {
        match Source::parse(text, by_owner) {
            Ok(source) => source.address,
            Err(reason) => reason.as_str().to_owned(),
        }
    }

    #[test]
    fn others_are_asked_over_https_alone() {
        let addresses = [
            ("https://git.example/a.git", "https://git.example/a.git", "https://git.example/a.git"),
            ("http://git.example/a", "http://git.example/a", "repository_out_of_reach"),
            ("git://git.example/a", "git://git.example/a", "repository_out_of_reach"),
            ("ssh://git@git.example/a", "ssh://git@git.example/a", "repository_out_of_reach"),
            ("git@git.example:a/b.git", "git@git.example:a/b.git", "repository_out_of_reach"),
            ("/", "/", "repository_out_of_reach"),
            ("file:///", "file:///", "repository_out_of_reach"),
            ("/nowhere-at-all", "repository_out_of_reach", "repository_out_of_reach"),
        ];
        for (text, owners, others) in addresses.into_iter().skip(usize::from(cfg!(windows)) * 8) {
            assert_eq!(check(text, true), owners, "{text}");
            assert_eq!(check(text, false), others, "{text}");
        }
    }

    #[test]
    fn what_would_be_a_flag_or_a_program_is_refused() {
        let long = format!("https://x/{}", "a".repeat(MAX_BYTES));
        for text in [
            "",
            "--upload-pack=touch",
            "-u",
            "ext::sh -c touch",
            "ftp://x/y",
            "a/b",
            "a",
            "~/a",
            "https://-oProxyCommand=x/y",
            "ssh://-oProxyCommand=x/y",
            "-oProxyCommand=x:y",
            "https://x/y\nz",
            long.as_str(),
        ] {
            assert_eq!(check(text, true), "invalid_input", "{text}");
        }
        assert!(base("-x").is_err() && base("a\0").is_err() && base(" main ").is_ok_and(|base| base == "main"));
    }

    #[test]
    fn a_password_is_nowhere_but_in_its_header() {
        let source = Source::parse("https://ann:s%40cret@git.example:8443/a.git?token=hush", true).unwrap();
        assert_eq!(source.address(), "https://git.example:8443/a.git?token=hush");
        for shown in [format!("{source}"), format!("{source:?}")] {
            assert!(!shown.contains("cret") && !shown.contains("hush") && shown.contains("a.git"), "{shown}");
        }
        let expected = ("http.https://git.example:8443/.extraHeader", "Authorization: Basic YW5uOnNAY3JldA==");
        assert_eq!(source.credential(), Some(expected));
        assert_eq!(Source::parse("https://git.example/a", true).unwrap().credential(), None);
        assert_eq!(check("ssh://git:secret@git.example/a", true), "ssh://git@git.example/a");
    }
}
