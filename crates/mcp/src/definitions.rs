//! The tools: names, texts, schemas, and what each call asks of the swarm.

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::handler::server::common::{schema_for_empty_input, schema_for_input};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::service::RequestContext;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::arguments::{ListMyTasks, OneTask, ReadTaskLog, SubmitTask, Usage, WaitForTask};
use crate::shown;
use crate::swarm::{Refusal, Swarm};
use crate::wait::wait;

/// What an AI client is told of the whole.
pub(crate) const INSTRUCTIONS: &str = "GarageSwarm runs prompts and commands on the machines of its people. \
    submit_task gives a task its number at once; wait_for_task waits for its end and gives its result, and is called \
    again while the task goes on. list_tools says which tools and models are there. Long output is read page by page \
    with read_log.";

/// What a call may do to the swarm.
enum Effect {
    Reads,
    Adds,
    Ends,
}

/// All of them, in the order in which people meet them.
pub(crate) fn all() -> Vec<Tool> {
    vec![
        tool(
            "submit_task",
            "Submit a task",
            "Hand a prompt, or a command (argv), to the swarm. The answer is the queued task with its number; \
             wait_for_task gives its result.",
            input::<SubmitTask>(),
            Effect::Adds,
        ),
        tool(
            "wait_for_task",
            "Wait for a task",
            "Wait until a task has ended, and read it with its result. Where it goes on after the time given, `ended` \
             is false: call again.",
            input::<WaitForTask>(),
            Effect::Reads,
        ),
        tool(
            "get_task",
            "Read a task",
            "A task as it is now: its state, what it waits for, its result or why it failed, each attempt.",
            input::<OneTask>(),
            Effect::Reads,
        ),
        tool(
            "read_log",
            "Read a task's log",
            "What a task has said so far, in order: text, calls of tools, output. `next_after` begins the next page; \
             `complete` says that nothing more will come.",
            input::<ReadTaskLog>(),
            Effect::Reads,
        ),
        tool(
            "list_tasks",
            "List my tasks",
            "Your tasks, newest first, without their results.",
            input::<ListMyTasks>(),
            Effect::Reads,
        ),
        tool(
            "cancel_task",
            "Cancel a task",
            "End a task. One that runs ends when its worker says so.",
            input::<OneTask>(),
            Effect::Ends,
        ),
        tool(
            "list_workers",
            "List workers",
            "The machines that you may use or see: how they are, what they have, how busy they are.",
            schema_for_empty_input(),
            Effect::Reads,
        ),
        tool(
            "list_tools",
            "List tools",
            "The tools that tasks can run with: where each is ready, its models, how many runs of it have a place now.",
            schema_for_empty_input(),
            Effect::Reads,
        ),
        tool(
            "usage",
            "Read the usage",
            "What was used: runs, tokens, money and time of your tasks and on your machines, summed up.",
            input::<Usage>(),
            Effect::Reads,
        ),
    ]
}

/// The definition of one.
pub(crate) fn named(name: &str) -> Option<Tool> {
    all().into_iter().find(|tool| tool.name == name)
}

fn tool(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    schema: Arc<JsonObject>,
    effect: Effect,
) -> Tool {
    let hints = ToolAnnotations::with_title(title);
    let hints = match effect {
        Effect::Reads => hints.read_only(true).open_world(false),
        Effect::Adds => hints.read_only(false).destructive(false),
        Effect::Ends => hints.read_only(false).destructive(true).idempotent(true).open_world(false),
    };
    Tool::new(name, description, schema).with_title(title).with_annotations(hints)
}

fn input<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    // Every argument is an object, which a test looks at.
    schema_for_input::<T>().unwrap_or_else(|_| schema_for_empty_input())
}

/// Carries out a call; none where there is no such tool.
pub(crate) async fn call(
    swarm: &dyn Swarm,
    name: &str,
    arguments: JsonObject,
    context: &RequestContext<RoleServer>,
) -> Option<Result<Value, Refusal>> {
    Some(match name {
        "submit_task" => submit_task(swarm, arguments).await,
        "wait_for_task" => wait_for_task(swarm, arguments, context).await,
        "get_task" => get_task(swarm, arguments).await,
        "read_log" => read_log(swarm, arguments).await,
        "list_tasks" => list_tasks(swarm, arguments).await,
        "cancel_task" => cancel_task(swarm, arguments).await,
        "list_workers" => list_workers(swarm).await,
        "list_tools" => list_tools(swarm).await,
        "usage" => usage(swarm, arguments).await,
        _ => return None,
    })
}

async fn submit_task(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    let wish = read::<SubmitTask>(arguments)?.wish()?;
    shown::task(swarm.create_task(wish).await?)
}

async fn wait_for_task(
    swarm: &dyn Swarm,
    arguments: JsonObject,
    context: &RequestContext<RoleServer>,
) -> Result<Value, Refusal> {
    let arguments = read::<WaitForTask>(arguments)?;
    let task = arguments.task()?;
    wait(swarm, task, arguments.timeout_seconds, context).await?;
    shown::task(swarm.task(task).await?)
}

async fn get_task(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    shown::task(swarm.task(read::<OneTask>(arguments)?.task()?).await?)
}

async fn read_log(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    let (task, query) = read::<ReadTaskLog>(arguments)?.query()?;
    written(&shown::log(swarm.log(task, query).await?))
}

async fn list_tasks(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    shown::tasks(swarm.tasks(read::<ListMyTasks>(arguments)?.query()).await?)
}

async fn cancel_task(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    shown::task(swarm.cancel_task(read::<OneTask>(arguments)?.task()?).await?)
}

async fn list_workers(swarm: &dyn Swarm) -> Result<Value, Refusal> {
    Ok(shown::workers(swarm.workers().await?))
}

async fn list_tools(swarm: &dyn Swarm) -> Result<Value, Refusal> {
    Ok(shown::tools(swarm.tools().await?))
}

async fn usage(swarm: &dyn Swarm, arguments: JsonObject) -> Result<Value, Refusal> {
    written(&swarm.usage(read::<Usage>(arguments)?.query()?).await?)
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Refusal> {
    let wrong = |error| Refusal::new(format!("the arguments do not fit: {error}"));
    serde_json::from_value(Value::Object(arguments)).map_err(wrong)
}

pub(crate) fn written<T: Serialize>(answer: &T) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new(format!("the answer cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_text_and_a_schema_of_its_own() {
        for tool in all() {
            assert!(tool.description.as_ref().is_some_and(|text| text.ends_with('.')), "{}", tool.name);
            let without_arguments = ["list_workers", "list_tools"].contains(&tool.name.as_ref());
            let properties = tool.input_schema["properties"].as_object().unwrap();
            assert_eq!(properties.is_empty(), without_arguments, "{}", tool.name);
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{}: {name} is not described", tool.name);
            }
            assert_eq!(named(&tool.name).as_ref(), Some(&tool));
        }
    }
}
