//! The tools that this build knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use swarm_model::ToolName;
use swarm_model::tool::ToolInfo;

use crate::adapter::claude_code::ClaudeCode;
use crate::adapter::codex::Codex;
use crate::adapter::command::Command;
use crate::adapter::demo::Demo;
use crate::adapter::gemini_cli::GeminiCli;
use crate::adapter::ollama::Ollama;
use crate::{Adapter, ToolSettings};

/// Every adapter by its tool's name.
#[derive(Debug, Clone)]
pub struct Registry {
    adapters: BTreeMap<ToolName, Arc<dyn Adapter>>,
}

impl Registry {
    /// All tools of this build. A new one is one line here.
    pub fn standard() -> Self {
        Self::of([
            Arc::new(Command) as Arc<dyn Adapter>,
            Arc::new(ClaudeCode::default()),
            Arc::new(Codex::default()),
            Arc::new(GeminiCli::default()),
            Arc::new(Ollama),
            Arc::new(Demo),
        ])
    }

    /// These tools only.
    pub fn of(adapters: impl IntoIterator<Item = Arc<dyn Adapter>>) -> Self {
        Self { adapters: adapters.into_iter().map(|adapter| (adapter.name(), adapter)).collect() }
    }

    /// The adapter of a tool.
    pub fn get(&self, tool: &ToolName) -> Option<&Arc<dyn Adapter>> {
        self.adapters.get(tool)
    }

    /// The names of all tools.
    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.adapters.keys()
    }

    /// What is there of every tool now, in the order of their names.
    pub async fn detect_all(&self, settings: &BTreeMap<ToolName, ToolSettings>) -> Vec<ToolInfo> {
        let unset = ToolSettings::default();
        join_all(self.adapters.iter().map(|(name, adapter)| adapter.detect(settings.get(name).unwrap_or(&unset)))).await
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_name() {
        let registry = Registry::standard();
        let names: Vec<_> = registry.names().map(ToolName::as_str).collect();
        assert_eq!(names, ["claude-code", "codex", "command", "demo", "gemini-cli", "ollama"]);
    }
}
