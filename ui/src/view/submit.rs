//! A task as somebody writes it down, checked before it is sent.

mod more;

pub use more::{More, Network, isolations, networks, roles, rules_at_limit};

use std::collections::BTreeSet;

use swarm_model::task::{Priority, TaskInput};
use swarm_model::{ToolName, WorkerId};
use swarm_proto::tasks::CreateTask;
use swarm_proto::workers::Worker;

use super::words;
use crate::strings::tasks as text;

/// What is in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The prompt, or the command line.
    pub prompt: String,
    /// A tool by its name; empty means the best one.
    pub tool: String,
    /// A model; empty means the tool's own choice.
    pub model: String,
    /// A machine; none means any.
    pub worker: Option<WorkerId>,
    /// From 1 to 10.
    pub priority: u8,
    /// What most tasks leave as it is.
    pub more: More,
}

impl Default for Draft {
    fn default() -> Self {
        let priority = Priority::default().get();
        Self {
            prompt: String::new(),
            tool: String::new(),
            model: String::new(),
            worker: None,
            priority,
            more: More::default(),
        }
    }
}

/// What is wrong with a draft, and at which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The field's id.
    pub at: &'static str,
    /// What is wrong with it, and what to do.
    pub words: String,
}

impl Wrong {
    /// Something at a field.
    pub fn at(at: &'static str, words: impl Into<String>) -> Self {
        Self { at, words: words.into() }
    }
}

impl Draft {
    /// Whether the prompt is a command line.
    pub fn is_command(&self) -> bool {
        self.tool == ToolName::COMMAND
    }

    /// The task to submit, or everything that is wrong, in the order of the form. The same key makes one task however
    /// often it is sent.
    pub fn task(&self, idempotency_key: String) -> Result<CreateTask, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let prompt = self.prompt.trim();
        let input = self.input(prompt).unwrap_or_else(|at_prompt| {
            wrong.push(at_prompt);
            None
        });
        let tool = Some(self.tool.as_str()).filter(|tool| !tool.is_empty()).map(str::parse).transpose();
        let tool = tool.unwrap_or_else(|_| {
            wrong.push(Wrong::at("tool", text::NO_SUCH_TOOL));
            None
        });
        let model = Some(self.model.trim().to_owned()).filter(|model| !model.is_empty() && !self.is_command());
        let more = self.more.read(tool.as_ref(), model.as_deref(), &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(CreateTask {
            description: prompt.to_owned(),
            tool,
            model,
            input,
            priority: Priority::new(self.priority),
            worker_id: self.worker,
            idempotency_key: Some(idempotency_key),
            ..more
        })
    }

    fn input(&self, prompt: &str) -> Result<Option<TaskInput>, Wrong> {
        if prompt.is_empty() {
            return Err(Wrong::at("prompt", text::NO_PROMPT));
        }
        if !self.is_command() {
            return Ok(None);
        }
        let argv = shlex::split(prompt).filter(|argv| !argv.is_empty());
        let argv = argv.ok_or_else(|| Wrong::at("prompt", text::OPEN_QUOTE))?;
        Ok(Some(TaskInput::Command { argv, stdin: None, env: Default::default() }))
    }
}

/// The task that shows a newcomer how things go.
pub fn demo(idempotency_key: String) -> CreateTask {
    CreateTask {
        description: text::DEMO_PROMPT.to_owned(),
        tool: ToolName::DEMO.parse().ok(),
        idempotency_key: Some(idempotency_key),
        ..CreateTask::default()
    }
}

/// An argument as a command line shows it.
pub(super) fn quoted(argument: &str) -> String {
    shlex::try_quote(argument).map_or_else(|_| format!("{argument:?}"), std::borrow::Cow::into_owned)
}

/// Something to choose: its value and its words.
pub type Choice = (String, String);

/// The tools that can be asked for: those of the machines, the ones that are ready first.
pub fn tools(workers: &[Worker], on: Option<WorkerId>) -> Vec<Choice> {
    let all = || {
        workers.iter().filter(|worker| on.is_none_or(|on| on == worker.worker_id)).flat_map(|w| &w.capabilities.tools)
    };
    let names: BTreeSet<_> = all().map(|tool| &tool.name).collect();
    let is_ready = |name: &ToolName| all().any(|tool| tool.name == *name && tool.health.is_ready());
    let mut names: Vec<_> = names.into_iter().map(|name| (is_ready(name), name)).collect();
    names.sort_by_key(|(is_ready, name)| (!is_ready, (*name).clone()));
    names
        .into_iter()
        .map(|(is_ready, name)| {
            let label = words::tool(name.as_str());
            (name.to_string(), if is_ready { label } else { text::not_ready(&label) })
        })
        .collect()
}

/// The models that a tool offers on these machines; empty where any name will do.
pub fn models(workers: &[Worker], on: Option<WorkerId>, tool: &str) -> Vec<String> {
    let models: BTreeSet<_> = workers
        .iter()
        .filter(|worker| on.is_none_or(|on| on == worker.worker_id))
        .flat_map(|worker| &worker.capabilities.tools)
        .filter(|offered| offered.name.as_str() == tool)
        .flat_map(|offered| offered.models.iter().cloned())
        .collect();
    models.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use swarm_model::tool::ToolHealth;

    use super::*;
    use crate::view::samples;

    #[test]
    fn a_prompt_becomes_a_task() {
        let draft =
            Draft { prompt: " Port it \n".to_owned(), tool: "claude-code".to_owned(), priority: 8, ..Draft::default() };
        let task = draft.task("k".to_owned()).unwrap();
        assert_eq!((task.description.as_str(), task.priority.map(Priority::get)), ("Port it", Some(8)));
        assert_eq!((task.input, task.model), (None, None));
        assert_eq!(Draft::default().task("k".to_owned()), Err(vec![Wrong::at("prompt", text::NO_PROMPT)]));
        let any = Draft { prompt: "x".to_owned(), ..Draft::default() };
        assert_eq!(any.task("k".to_owned()).unwrap().tool, None);
    }

    #[test]
    fn a_command_is_split_and_never_a_shell() {
        let command = |prompt: &str| Draft {
            prompt: prompt.to_owned(),
            tool: "command".to_owned(),
            model: "x".to_owned(),
            ..Draft::default()
        };
        let task = command(r#"git commit -m "a b; rm *" $HOME"#).task("k".to_owned()).unwrap();
        let argv = ["git", "commit", "-m", "a b; rm *", "$HOME"].map(str::to_owned).into();
        assert_eq!(task.input, Some(TaskInput::Command { argv, stdin: None, env: Default::default() }));
        assert_eq!(task.model, None);
        assert_eq!(command("echo 'open").task("k".to_owned()), Err(vec![Wrong::at("prompt", text::OPEN_QUOTE)]));
    }

    #[test]
    fn tools_are_offered_as_the_machines_have_them() {
        let mut one = samples::worker("one");
        one.capabilities.tools.push(samples::tool("claude-code", ToolHealth::Missing { fix: String::new() }));
        one.capabilities.tools.push(samples::tool("ollama", ToolHealth::Ready));
        if let Some(tool) = one.capabilities.tools.last_mut() {
            tool.models = vec!["b".to_owned(), "a".to_owned()];
        }
        let workers = [one.clone(), samples::worker("two")];
        let labels: Vec<_> = tools(&workers, None).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["Demo", "Ollama", "Claude Code (not ready)"]);
        assert_eq!(tools(&workers, Some(workers[1].worker_id)).len(), 1);
        assert_eq!(models(&workers, None, "ollama"), ["a", "b"]);
    }
}
