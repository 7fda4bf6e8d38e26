//! Roles, and the ordered lists of tool and model by which a task goes on when one of them cannot do it.

mod shipped;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ToolName;
use crate::tool::ParseToolNameError;

pub use shipped::{AS_OF, shipped};

/// Entries that a cascade may have.
pub const MOST_ENTRIES: usize = 16;

/// What somebody is in a team of models. Each has a list of its own of who does it, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Says what is to be done, in which steps.
    Planner,
    /// Writes it.
    Coder,
    /// Reads it with the eyes of somebody else.
    Reviewer,
    /// Brings it to where it runs.
    Deployer,
    /// Watches over the others.
    Supervisor,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role \"{0}\"; there are planner, coder, reviewer, deployer and supervisor")]
pub struct ParseRoleError(String);

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Planner, Self::Coder, Self::Reviewer, Self::Deployer, Self::Supervisor];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Coder => "coder",
            Self::Reviewer => "reviewer",
            Self::Deployer => "deployer",
            Self::Supervisor => "supervisor",
        }
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| ParseRoleError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a cascade: a tool, and the model that it is to use. Written `TOOL` or `TOOL:MODEL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelChoice {
    /// The tool.
    pub tool: ToolName,
    /// The model as the tool names it; none leaves it to the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl FromStr for ModelChoice {
    type Err = ParseToolNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Names of models hold colons themselves (`qwen3:8b`), names of tools hold none.
        let (tool, model) = text.split_once(':').map_or((text, None), |(tool, model)| (tool, Some(model)));
        Ok(Self { tool: tool.parse()?, model: model.filter(|model| !model.is_empty()).map(str::to_owned) })
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{}:{model}", self.tool),
            None => write!(f, "{}", self.tool),
        }
    }
}

/// What a task does whose account is at a limit that no other machine's account gets around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It waits until the limit is over.
    #[default]
    Wait,
    /// The next entry of its cascade has its turn; the last one waits.
    Next,
}

/// A text that names no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule \"{0}\"; there are wait and next")]
pub struct ParseAtLimitError(String);

impl AtLimit {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Next => "next",
        }
    }
}

impl FromStr for AtLimit {
    type Err = ParseAtLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = [Self::Wait, Self::Next].into_iter().find(|rule| rule.as_str() == text);
        named.ok_or_else(|| ParseAtLimitError(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_written_as_it_is_read() {
        for text in ["codex", "ollama:qwen3:8b", "gemini-cli:gemini-2.5-pro"] {
            assert_eq!(text.parse::<ModelChoice>().unwrap().to_string(), text);
        }
        assert_eq!("codex:".parse::<ModelChoice>().unwrap().to_string(), "codex");
        assert!(":model".parse::<ModelChoice>().is_err());
    }

    #[test]
    fn a_role_is_called_the_same_everywhere() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("poet".parse::<Role>().is_err());
    }
}
