//! The tools that this build knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use swarm_model::ToolName;
use swarm_model::tool::ToolInfo;

use crate::adapter::anthropic_api::Anthropic;
use crate::adapter::api::Api;
use crate::adapter::claude_code::ClaudeCode;
use crate::adapter::codex::Codex;
use crate::adapter::command::Command;
use crate::adapter::demo::Demo;
use crate::adapter::gemini_api::Gemini;
use crate::adapter::gemini_cli::GeminiCli;
use crate::adapter::ollama::Ollama;
use crate::adapter::openai_api::OpenAi;
use crate::{Adapter, ToolSettings, Variables};

/// Every adapter by its tool's name.
#[derive(Debug, Clone)]
pub struct Registry {
    adapters: BTreeMap<ToolName, Arc<dyn Adapter>>,
}

impl Registry {
    /// All tools of this build, with the variables that the worker was started with. A new one is one line here.
    pub fn standard(variables: &Variables) -> Self {
        let api = |dialect| Arc::new(Api::new(dialect, variables.clone()));
        Self::of([
            Arc::new(Command) as Arc<dyn Adapter>,
            Arc::new(ClaudeCode::new(variables.clone())),
            Arc::new(Codex::new(variables.clone())),
            Arc::new(GeminiCli::new(variables.clone())),
            api(&Anthropic),
            api(&OpenAi),
            api(&Gemini),
            Arc::new(Ollama::new(variables.clone())),
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

    /// Which address a tool asks and with which key, and where both were found.
    pub fn account(&self, tool: &ToolName, settings: &BTreeMap<ToolName, ToolSettings>) -> Option<String> {
        let unset = ToolSettings::default();
        self.get(tool)?.account(settings.get(tool).unwrap_or(&unset))
    }

    /// Whether the settings fit their tools, as far as types do not tell: what is wrong where they do not.
    pub fn check(&self, settings: &BTreeMap<ToolName, ToolSettings>) -> Result<(), String> {
        let adapters = settings.iter().filter_map(|(name, settings)| Some((self.get(name)?, settings)));
        adapters.into_iter().try_for_each(|(adapter, settings)| adapter.check(settings))
    }

    /// What is there of one tool now.
    pub async fn detect(&self, tool: &ToolName, settings: &ToolSettings) -> Option<ToolInfo> {
        let adapter = self.get(tool)?;
        Some(ToolInfo { account: adapter.payer(settings), ..adapter.detect(settings).await })
    }

    /// What is there of every tool now, in the order of their names.
    pub async fn detect_all(&self, settings: &BTreeMap<ToolName, ToolSettings>) -> Vec<ToolInfo> {
        let unset = ToolSettings::default();
        let detected = self.adapters.iter().map(async |(name, adapter)| {
            let settings = settings.get(name).unwrap_or(&unset);
            ToolInfo { account: adapter.payer(settings), ..adapter.detect(settings).await }
        });
        join_all(detected).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_name() {
        let registry = Registry::standard(&Variables::default());
        let names: Vec<_> = registry.names().map(ToolName::as_str).collect();
        let expected = [
            "anthropic-api",
            "claude-code",
            "codex",
            "command",
            "demo",
            "gemini-api",
            "gemini-cli",
            "ollama",
            "openai-api",
        ];
        assert_eq!(names, expected);
        for name in names.into_iter().filter(|name| *name != ToolName::COMMAND) {
            assert!(ToolName::PROMPT_PREFERENCE.contains(&name), "{name}");
        }
    }
}
