//! How far a run is kept away from the rest of its machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    fn levels_are_ordered_and_called_the_same_everywhere() {
        assert!(Isolation::ALL.is_sorted());
        for level in Isolation::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
            assert_eq!(level.as_str().parse(), Ok(level));
        }
    }
}
