//! The lists of roles as they are shipped: data, and of which day. A person's own list stands in place of one of these.
//!
//! The lists of Gemini models are those of the second design of this program (planner: the large model first; coder: the
//! quick one first). Agents that choose their model themselves are named without one. Models come and go: an entry that
//! no machine of a person's can serve is passed over.

use super::{ModelChoice, Role};

/// The day on which the lists were looked through.
pub const AS_OF: &str = "2026-11-21";

const PLANNER: &[&str] =
    &["claude-code", "codex", "gemini-cli:gemini-2.5-pro", "gemini-cli:gemini-2.5-flash", "gemini-api:gemini-2.5-pro"];

const CODER: &[&str] = &[
    "claude-code",
    "codex",
    "gemini-cli:gemini-2.5-flash",
    "gemini-cli:gemini-2.5-pro",
    "gemini-api:gemini-2.5-flash",
    "ollama",
];

// Whoever reads had better not be whoever wrote.
const REVIEWER: &[&str] = &[
    "codex",
    "gemini-cli:gemini-2.5-pro",
    "gemini-cli:gemini-2.5-flash",
    "claude-code",
    "gemini-api:gemini-2.5-pro",
    "ollama",
];

const DEPLOYER: &[&str] = &["gemini-cli:gemini-2.5-flash", "gemini-cli:gemini-2.5-pro", "claude-code", "codex"];

const SUPERVISOR: &[&str] = &[
    "gemini-cli:gemini-2.5-flash",
    "gemini-cli:gemini-2.5-pro",
    "gemini-api:gemini-2.5-flash",
    "claude-code",
    "codex",
    "ollama",
];

fn texts(role: Role) -> &'static [&'static str] {
    match role {
        Role::Planner => PLANNER,
        Role::Coder => CODER,
        Role::Reviewer => REVIEWER,
        Role::Deployer => DEPLOYER,
        Role::Supervisor => SUPERVISOR,
    }
}

/// Who does a role unless a person says otherwise, best first.
pub fn shipped(role: Role) -> Vec<ModelChoice> {
    texts(role).iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_entry_can_be_read_and_stands_once() {
        for role in Role::ALL {
            let mut entries = shipped(role);
            assert_eq!(entries.len(), texts(role).len(), "{role}");
            assert!(entries.len() <= super::super::MOST_ENTRIES);
            entries.sort();
            entries.dedup();
            assert_eq!(entries.len(), texts(role).len(), "{role}");
        }
    }
}
