//! What each tool is called with. The comments here are what the model reads.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use swarm_model::TaskRef;
use swarm_model::task::{Limits, Priority, Repository, TaskInput};
use swarm_proto::tasks::{CreateTask, ListTasks, ReadLog};
use swarm_proto::usage::ReadUsage;

use crate::swarm::Refusal;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmitTask {
    /// What is to be done, in words. Leave it out for a command.
    #[serde(default)]
    prompt: Option<String>,
    /// Instructions that stand before the prompt.
    #[serde(default)]
    system: Option<String>,
    /// A program and its arguments in place of a prompt; no shell reads them.
    #[serde(default)]
    argv: Option<Vec<String>>,
    /// Which tool does it, as list_tools names it; the best one that is there unless said otherwise.
    #[serde(default)]
    tool: Option<String>,
    /// Which model, as list_tools names it.
    #[serde(default)]
    model: Option<String>,
    /// What it is in a team of models: planner, coder, reviewer, deployer or supervisor. Then a model is chosen for it
    /// where none is named.
    #[serde(default)]
    role: Option<String>,
    /// The repository to work on, as git takes its address: the run gets a working tree and a branch of its own.
    #[serde(default)]
    repository: Option<String>,
    /// The branch, tag or commit of the repository to begin from.
    #[serde(default)]
    base: Option<String>,
    /// From 1 to 10; 5 unless said otherwise.
    #[serde(default)]
    priority: Option<u8>,
    /// The id of the one worker that is to do it; any that fits unless said otherwise.
    #[serde(default)]
    worker_id: Option<String>,
    /// The session of an earlier task's tool to go on with.
    #[serde(default)]
    session: Option<String>,
    /// Seconds that one attempt may run.
    #[serde(default)]
    max_seconds: Option<u64>,
    /// Tokens in and out that it may use.
    #[serde(default)]
    max_tokens: Option<u64>,
    /// US dollars that it may cost.
    #[serde(default)]
    max_cost_usd: Option<f64>,
    /// Sent again with the same key, the earlier task is given back and no second one is made.
    #[serde(default)]
    idempotency_key: Option<String>,
}

/// Which task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneTask {
    /// The number or the id of the task.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "String")]
    task: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitForTask {
    /// The number or the id of the task.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "String")]
    task: String,
    /// Seconds to wait at the most, up to 600; 50 unless said otherwise.
    #[serde(default)]
    pub(crate) timeout_seconds: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadTaskLog {
    /// The number or the id of the task.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "String")]
    task: String,
    /// Only entries behind this one: the `next_after` of the page before.
    #[serde(default)]
    after: Option<u64>,
    /// Entries, up to 1000; 200 unless said otherwise.
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListMyTasks {
    /// Only with these states, with commas between them: queued, assigned, running, waiting, completed, failed,
    /// cancelled.
    #[serde(default)]
    status: Option<String>,
    /// Only with this tool.
    #[serde(default)]
    tool: Option<String>,
    /// Only with this text in the prompt.
    #[serde(default)]
    text: Option<String>,
    /// How many, up to 200; 20 unless said otherwise.
    #[serde(default)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Usage {
    /// By what sums are told apart: day, user, worker, tool, model, with commas between them; by day unless said
    /// otherwise.
    #[serde(default)]
    by: Option<String>,
    /// The first day in UTC, as 2026-01-31; 29 days before the last one unless said otherwise.
    #[serde(default)]
    from: Option<String>,
    /// The last day in UTC; today unless said otherwise.
    #[serde(default)]
    to: Option<String>,
    /// Only with this tool.
    #[serde(default)]
    tool: Option<String>,
    /// Only with this model.
    #[serde(default)]
    model: Option<String>,
}

const USUAL_ENTRIES: u32 = 200;
const MAX_ENTRIES: u32 = 1000;
const USUAL_TASKS: u32 = 20;
const MAX_TASKS: u32 = 200;

impl SubmitTask {
    pub(crate) fn wish(self) -> Result<CreateTask, Refusal> {
        let cost_microusd = match self.max_cost_usd {
            Some(cost) if !(0.0..=1e6).contains(&cost) => {
                return Err(Refusal::new("max_cost_usd is a number from 0 to 1000000"));
            }
            cost => cost.map(|cost| (cost * 1e6).round() as u64),
        };
        let limits = Limits {
            wall_clock_ms: self.max_seconds.map(|seconds| seconds.saturating_mul(1000)),
            tokens: self.max_tokens,
            cost_microusd,
            ..Limits::default()
        };
        let input = match (self.argv, self.system, self.session) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err(Refusal::new("argv goes with neither system nor session: a command has no model"));
            }
            (Some(argv), None, None) => {
                let (stdin, env) = (None, std::collections::BTreeMap::new());
                Some(TaskInput::Command { argv, stdin, env })
            }
            (None, None, None) => None,
            (None, system, session) => Some(TaskInput::Prompt { system, session }),
        };
        let repository = match (self.repository, self.base) {
            (None, Some(_)) => return Err(Refusal::new("base names where to begin in a repository: name that too")),
            (url, base) => url.map(|url| Repository { url, base }),
        };
        // Whoever gives a command means the tool for it.
        let is_command = matches!(input, Some(TaskInput::Command { .. }));
        let tool = self.tool.or_else(|| is_command.then(|| swarm_model::ToolName::COMMAND.to_owned()));
        Ok(CreateTask {
            description: self.prompt.unwrap_or_default(),
            tool: parsed("tool", tool)?,
            model: self.model,
            input,
            role: parsed("role", self.role)?,
            repository,
            priority: self.priority.map(priority).transpose()?,
            worker_id: parsed("worker_id", self.worker_id)?,
            limits: (limits != Limits::default()).then_some(limits),
            idempotency_key: self.idempotency_key,
            ..CreateTask::default()
        })
    }
}

impl OneTask {
    pub(crate) fn task(&self) -> Result<TaskRef, Refusal> {
        task(&self.task)
    }
}

impl WaitForTask {
    pub(crate) fn task(&self) -> Result<TaskRef, Refusal> {
        task(&self.task)
    }
}

impl ReadTaskLog {
    pub(crate) fn query(&self) -> Result<(TaskRef, ReadLog), Refusal> {
        let limit = self.limit.unwrap_or(USUAL_ENTRIES).clamp(1, MAX_ENTRIES);
        Ok((task(&self.task)?, ReadLog { after: self.after.unwrap_or(0), limit: Some(limit), wait_ms: 0 }))
    }
}

impl ListMyTasks {
    pub(crate) fn query(self) -> ListTasks {
        let Self { status, tool, text, limit, cursor } = self;
        let limit = Some(limit.unwrap_or(USUAL_TASKS).clamp(1, MAX_TASKS));
        let status = status.map(|names| names.replace(' ', ""));
        ListTasks { status, tool, text, limit, cursor, ..ListTasks::default() }
    }
}

impl Usage {
    pub(crate) fn query(self) -> Result<ReadUsage, Refusal> {
        let Self { by, from, to, tool, model } = self;
        Ok(ReadUsage { by, from: parsed("from", from)?, to: parsed("to", to)?, tool, model, ..ReadUsage::default() })
    }
}

fn task(named: &str) -> Result<TaskRef, Refusal> {
    let shown = || named.chars().take(64).collect::<String>();
    named
        .trim()
        .parse()
        .map_err(|_| Refusal::new(format!("\"{}\" is neither the number nor the id of a task", shown())))
}

fn priority(number: u8) -> Result<Priority, Refusal> {
    serde_json::from_value(Value::from(number)).map_err(|error| Refusal::new(format!("priority: {error}")))
}

/// A text as the wire reads it.
fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>, Refusal> {
    let read = |text| serde_json::from_value(Value::String(text));
    text.map(read).transpose().map_err(|error| Refusal::new(format!("{name}: {error}")))
}

/// Models write a number as a number, whatever the schema says.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("a task is named by its number or its id")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(arguments: Value) -> Result<CreateTask, Refusal> {
        serde_json::from_value::<SubmitTask>(arguments).unwrap().wish()
    }

    #[test]
    fn a_prompt_and_a_command_become_what_the_interface_takes() {
        let told = wish(json!({ "prompt": "say hello", "max_seconds": 60, "max_cost_usd": 0.5 })).unwrap();
        assert_eq!((told.description.as_str(), told.input), ("say hello", None));
        let limits = told.limits.unwrap();
        assert_eq!((limits.wall_clock_ms, limits.cost_microusd), (Some(60_000), Some(500_000)));
        let command = wish(json!({ "argv": ["ls", "-l"] })).unwrap();
        assert_eq!(command.tool.unwrap().as_str(), "command");
        assert!(matches!(command.input, Some(TaskInput::Command { argv, .. }) if argv == ["ls", "-l"]));
        let session = wish(json!({ "prompt": "go on", "session": "s" })).unwrap();
        assert!(matches!(session.input, Some(TaskInput::Prompt { session: Some(_), .. })));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_name() {
        for (arguments, said) in [
            (json!({ "prompt": "x", "tool": "No Tool" }), "tool: "),
            (json!({ "prompt": "x", "priority": 11 }), "priority: "),
            (json!({ "prompt": "x", "worker_id": "attic" }), "worker_id: "),
            (json!({ "argv": ["ls"], "system": "x" }), "argv goes with neither"),
            (json!({ "prompt": "x", "max_cost_usd": -1 }), "max_cost_usd"),
            (json!({ "prompt": "x", "base": "main" }), "base names"),
        ] {
            let refused = wish(arguments.clone()).unwrap_err().to_string();
            assert!(refused.contains(said), "{arguments}: {refused}");
        }
    }

    #[test]
    fn a_task_is_named_by_number_or_id() {
        let named = |value: Value| serde_json::from_value::<OneTask>(json!({ "task": value })).map(|one| one.task());
        for value in [json!(7), json!("7"), json!("#7"), json!(" 7 ")] {
            assert_eq!(named(value).unwrap().unwrap().to_string(), "7");
        }
        assert!(named(json!("seven")).unwrap().is_err());
        assert!(named(json!(null)).is_err());
    }
}
