//! Tools: what a worker runs a task with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{UserId, WorkerId};

/// The name of a tool: 1 to 32 of `a-z`, `0-9` and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ToolName(String);

/// A text that cannot name a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" cannot name a tool: use 1 to 32 of a-z, 0-9 and -, beginning with a letter")]
pub struct ParseToolNameError(String);

impl ToolName {
    /// Plain commands: an argument vector, never a shell.
    pub const COMMAND: &'static str = "command";
    /// Claude Code, Anthropic's command-line agent.
    pub const CLAUDE_CODE: &'static str = "claude-code";
    /// Codex, OpenAI's command-line agent.
    pub const CODEX: &'static str = "codex";
    /// Gemini CLI, Google's command-line agent.
    pub const GEMINI_CLI: &'static str = "gemini-cli";
    /// The Anthropic API over HTTP.
    pub const ANTHROPIC_API: &'static str = "anthropic-api";
    /// The OpenAI API over HTTP, or whatever speaks it.
    pub const OPENAI_API: &'static str = "openai-api";
    /// The Gemini API over HTTP.
    pub const GEMINI_API: &'static str = "gemini-api";
    /// An Ollama server over HTTP.
    pub const OLLAMA: &'static str = "ollama";
    /// The scripted model that needs no key; a demonstration.
    pub const DEMO: &'static str = "demo";

    /// Which tool does a prompt that names none, best first. `command` takes no prompts.
    pub const PROMPT_PREFERENCE: [&'static str; 8] = [
        Self::CLAUDE_CODE,
        Self::CODEX,
        Self::GEMINI_CLI,
        Self::ANTHROPIC_API,
        Self::OPENAI_API,
        Self::GEMINI_API,
        Self::OLLAMA,
        Self::DEMO,
    ];

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can run programs on the machine. Everything that is not known to only talk can.
    pub fn runs_programs(&self) -> bool {
        !matches!(self.as_str(), Self::OLLAMA | Self::DEMO | Self::ANTHROPIC_API | Self::OPENAI_API | Self::GEMINI_API)
    }
}

impl FromStr for ToolName {
    type Err = ParseToolNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(ParseToolNameError(text.chars().take(64).collect())) }
    }
}

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a worker knows of one of its tools. Found at start and watched without a spawn per heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolInfo {
    /// Which tool.
    pub name: ToolName,
    /// Its version, where it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it can be used now.
    pub health: ToolHealth,
    /// The models it offers, where that can be known; empty means "any".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// How many runs of it this worker allows at once; none means as many as there are slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Whose allowance it uses, where that can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

/// An account with a provider: what its limits belong to. Machines that use the same one share its limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// The same on every machine that uses the account, and nothing that a secret could be learnt from.
    pub id: String,
    /// What people call it: an address, or the end of a key.
    pub label: String,
}

impl Account {
    /// The id of an account of which only the tool knows whose it is: another on every machine.
    pub const OWN_LOGIN: &'static str = "own-login";

    /// The account that a machine tells, among those of everybody: nobody can speak for an account that is used on
    /// somebody else's machines.
    #[must_use]
    pub fn of_machine(&self, owner: UserId, worker: WorkerId) -> Self {
        let id = if self.id == Self::OWN_LOGIN { worker.to_string() } else { format!("{owner}/{}", self.id) };
        Self { id, label: self.label.clone() }
    }
}

/// Whether a tool can be used now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ToolHealth {
    /// Ready.
    Ready,
    /// Nobody has signed it in; `fix` says how.
    NeedsLogin {
        /// What the person can do.
        fix: String,
    },
    /// It is not installed or does not answer; `fix` says how to mend that.
    Missing {
        /// What the person can do.
        fix: String,
    },
    /// The owner of the machine has not switched it on.
    NotAllowed,
}

impl ToolHealth {
    /// Whether a task can be given to it.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["command", "claude-code", "a", "x2"] {
            assert!(good.parse::<ToolName>().is_ok(), "{good}");
        }
        for bad in ["", "Claude", "-x", "2x", "a b", "a/b", &"x".repeat(33)] {
            assert!(bad.parse::<ToolName>().is_err(), "{bad}");
        }
    }
}
