//! How far a run is kept away from the rest of its machine.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ToolName;

/// A level of isolation; each keeps out what the one before it does, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// None at all.
    None,
    /// Folders and an environment of its own.
    #[default]
    Own,
    /// The operating system keeps it from everything else.
    Sandbox,
    /// A container of its own.
    Container,
}

/// A text that names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no isolation \"{0}\"; there are none, own, sandbox and container")]
pub struct ParseIsolationError(String);

impl Isolation {
    /// Every level, the lowest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Own, Self::Sandbox, Self::Container];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "own",
            Self::Sandbox => "sandbox",
            Self::Container => "container",
        }
    }
}

/// Hosts that one task may name.
pub const MAX_HOSTS: usize = 64;

/// Whether a text names hosts: a name, an address, or `*.` before a name for everything below it.
pub fn names_hosts(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let is_address = name.parse::<IpAddr>().is_ok();
    let is_name = !name.contains(':') && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    name.len() <= 253 && name.chars().all(is_plain) && (is_name || is_address && name == text)
}

/// The level that a run demands, whatever its machine's owner thinks: what was asked for, and a sandbox for programs of
/// other people. A tool that only talks runs nothing that could be kept away from anything.
pub fn demanded(tool: &ToolName, asked: Option<Isolation>, by_owner: bool) -> Isolation {
    let least = if by_owner { Isolation::Own } else { Isolation::Sandbox };
    if tool.runs_programs() { asked.unwrap_or_default().max(least) } else { Isolation::None }
}

impl FromStr for Isolation {
    type Err = ParseIsolationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|level| level.as_str() == text);
        named.ok_or_else(|| ParseIsolationError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_others_demand_a_sandbox_and_talk_demands_nothing() {
        let check = |tool: &str, asked, by_owner| demanded(&tool.parse().unwrap(), asked, by_owner);
        assert_eq!(check("command", None, true), Isolation::Own);
        assert_eq!(check("command", Some(Isolation::None), true), Isolation::Own);
        assert_eq!(check("codex", Some(Isolation::Container), true), Isolation::Container);
        assert_eq!(check("codex", Some(Isolation::Own), false), Isolation::Sandbox);
        assert_eq!(check("some-new-tool", None, false), Isolation::Sandbox);
        assert_eq!(check("ollama", Some(Isolation::Sandbox), false), Isolation::None);
    }

    #[test]
    fn hosts_are_names_addresses_and_patterns() {
        for text in ["example.org", "*.example.org", "localhost", "10.0.0.7", "::1", "a-b.c_d"] {
            assert!(names_hosts(text), "{text}");
        }
        for text in
            ["", "*", "*.", "*.*.org", "a.*", "https://a.org", "a.org:443", "a.org/x", "a b", "*.::1", "-a", ".a"]
        {
            assert!(!names_hosts(text), "{text}");
        }
        assert!(!names_hosts(&"a".repeat(254)));
    }

    #[test]
    fn levels_are_ordered_and_called_the_same_everywhere() {
        assert!(Isolation::ALL.is_sorted());
        for level in Isolation::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
            assert_eq!(level.as_str().parse(), Ok(level));
        }
    }
}
