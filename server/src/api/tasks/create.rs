//! Submitting: one task, many at once, or one tried again.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use swarm_engine::NewTask;
use swarm_model::isolation::{MAX_HOSTS, names_hosts};
use swarm_model::rights::{Operation, Relation};
use swarm_model::task::{Queue, TaskInput, TaskSpec};
use swarm_model::{AtLimit, ModelChoice, TaskId, ToolName, UserId};
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{CreateTask, CreateTasks, CreatedTask, CreatedTasks, Task};

use super::load;
use crate::api::roles::{Chosen, check_entries};
use crate::api::workers::{check_share, relation_to};
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Bytes of a prompt. Longer input belongs into a repository or a file.
const MAX_DESCRIPTION: usize = 1024 * 1024;
/// Characters of an idempotency key.
const MAX_KEY: usize = 255;

/// Submit a task. With an `idempotency_key` that was used before, the earlier task is given back with status 200.
#[utoipa::path(post, path = "/tasks", tag = "tasks", request_body = CreateTask,
    responses((status = 201, body = Task), (status = 200, description = "The key was used before", body = Task)))]
pub(in crate::api) async fn create_task(
    State(state): State<AppState>,
    identity: Identity,
    headers: HeaderMap,
    Json(wish): Json<CreateTask>,
) -> Result<(StatusCode, Json<Task>), ApiError> {
    let new = vec![prepare(&state, &identity, wish, traceparent(&headers), None).await?];
    let submitted =
        state.dispatcher.submit(new).await?.pop().ok_or_else(|| ApiError::internal("a submitted task is missing"))?;
    let status = if submitted.is_known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(super::task_to_wire(&submitted.head, &submitted.row, submitted.result))))
}

/// Submit up to 1,000 tasks, all or none. The answer is in the order of the request.
#[utoipa::path(post, path = "/tasks/batch", tag = "tasks", request_body = CreateTasks, responses((status = 201, body = CreatedTasks)))]
pub(super) async fn create_tasks(
    State(state): State<AppState>,
    identity: Identity,
    headers: HeaderMap,
    Json(wishes): Json<CreateTasks>,
) -> Result<(StatusCode, Json<CreatedTasks>), ApiError> {
    identity.require(Operation::SubmitTask, Relation::None)?;
    let n = wishes.tasks.len();
    let most = state.config.limits.batch_tasks;
    if n == 0 || n > most {
        return Err(ApiError::invalid(format!("a batch holds 1 to {most} tasks; this one holds {n}")));
    }
    let traceparent = traceparent(&headers);
    let mut new = Vec::with_capacity(n);
    for (index, wish) in wishes.tasks.into_iter().enumerate() {
        let prepared = prepare(&state, &identity, wish, traceparent.clone(), None).await;
        new.push(prepared.map_err(|error| ApiError::new(error.code(), format!("tasks[{index}]: {}", error.detail())))?);
    }
    let submitted = state.dispatcher.submit(new).await?;
    let tasks = submitted
        .into_iter()
        .map(|task| CreatedTask { task_id: task.head.task_id, number: task.head.number, status: task.row.status })
        .collect();
    Ok((StatusCode::CREATED, Json(CreatedTasks { tasks })))
}

/// Try a task again that has ended: a new task with the same wishes, which names the old one.
#[utoipa::path(post, path = "/tasks/{id}/retry", tag = "tasks", params(("id" = String, Path, description = "Id or number")),
    responses((status = 201, body = Task)))]
pub(super) async fn retry_task(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Task>), ApiError> {
    // Whoever tries it again reads it, so an admin's right to end it is not enough.
    let old = load(&state, &identity, Operation::EditTask, &id).await?;
    if !old.row.status.is_terminal() {
        let detail =
            format!("task {} is {}; only a task that has ended can be tried again", old.head.number, old.row.status);
        return Err(ApiError::new(ErrorCode::Conflict, detail));
    }
    let new = NewTask {
        task_id: state.new_id(TaskId::new),
        user_id: old.head.user_id,
        workflow_id: None,
        run_id: None,
        node: None,
        spec: old.head.spec,
        retry_of: Some(old.head.task_id),
        idempotency_key: None,
        traceparent: old.head.traceparent,
    };
    check_target(&state, &identity, new.user_id, &new.spec).await?;
    let submitted = state
        .dispatcher
        .submit(vec![new])
        .await?
        .pop()
        .ok_or_else(|| ApiError::internal("a submitted task is missing"))?;
    Ok((StatusCode::CREATED, Json(super::task_to_wire(&submitted.head, &submitted.row, submitted.result))))
}

/// The W3C trace context of the request, where it is well-formed enough to pass on.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let plain = value.len() == 55 && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    plain.then(|| value.to_owned())
}

async fn prepare(
    state: &AppState,
    identity: &Identity,
    wish: CreateTask,
    traceparent: Option<String>,
    retry_of: Option<TaskId>,
) -> Result<NewTask, ApiError> {
    identity.require(Operation::SubmitTask, Relation::None)?;
    let user_id: UserId = identity.person()?.user_id;
    let idempotency_key = wish.idempotency_key.clone();
    if idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY) {
        return Err(ApiError::invalid(format!("idempotency_key holds 1 to {MAX_KEY} characters")));
    }
    let spec = with_cascade(state, user_id, spec_of(wish)?).await?;
    check_target(state, identity, user_id, &spec).await?;
    let task_id = state.new_id(TaskId::new);
    Ok(NewTask {
        task_id,
        user_id,
        workflow_id: None,
        run_id: None,
        node: None,
        spec,
        retry_of,
        idempotency_key,
        traceparent,
    })
}

/// The spec with the list of its role, and the rule at a limit that its person chose, as they are now: what is chosen
/// later changes no task that was submitted.
async fn with_cascade(state: &AppState, user: UserId, wish: Wished) -> Result<TaskSpec, ApiError> {
    let Wished { mut spec, at_limit } = wish;
    if spec.role.is_some() || !spec.cascade.is_empty() {
        let chosen = Chosen::of(state, user).await?;
        if let (Some(role), true) = (spec.role, spec.cascade.is_empty()) {
            spec.cascade = chosen.role(role).entries;
        }
        spec.at_limit = at_limit.unwrap_or_else(|| chosen.at_limit());
    } else if at_limit == Some(AtLimit::Next) {
        spec.cascade = every_tool(spec.model.take());
        spec.at_limit = AtLimit::Next;
    }
    Ok(spec)
}

/// Every tool that takes prompts, but for the demonstration: where a task goes on that names none.
fn every_tool(model: Option<String>) -> Vec<ModelChoice> {
    let tools = ToolName::PROMPT_PREFERENCE.into_iter().filter(|name| *name != ToolName::DEMO);
    tools.filter_map(|name| Some(ModelChoice { tool: name.parse().ok()?, model: model.clone() })).collect()
}

/// Whether the asker may send this task to the one machine that it names.
async fn check_target(state: &AppState, identity: &Identity, user: UserId, spec: &TaskSpec) -> Result<(), ApiError> {
    let Queue::Worker { worker_id } = spec.queue else { return Ok(()) };
    identity.require(Operation::TargetWorker, relation_to(state, identity, worker_id).await?)?;
    check_share(state.dispatcher.live().get(worker_id).as_deref(), user, spec)
}

/// What was wished for, before it is known what its person chose.
#[derive(Debug)]
struct Wished {
    spec: TaskSpec,
    at_limit: Option<AtLimit>,
}

/// Whether the wishes for a cascade go together with the others.
fn check_cascade(wish: &CreateTask) -> Result<(), ApiError> {
    check_entries("cascade", &wish.cascade)?;
    let has_list = wish.role.is_some() || !wish.cascade.is_empty();
    if has_list && (wish.tool.is_some() || wish.model.is_some()) {
        return Err(ApiError::invalid("give a role or a cascade, or tool and model, not both"));
    }
    let is_command = matches!(wish.input, Some(TaskInput::Command { .. }));
    if has_list && is_command {
        return Err(ApiError::invalid("an input of kind command has no role and no cascade: no model does it"));
    }
    if wish.at_limit == Some(AtLimit::Next) && !has_list && (wish.tool.is_some() || is_command) {
        return Err(ApiError::invalid("at_limit next needs a role, a cascade, or a prompt that names no tool"));
    }
    Ok(())
}

/// What was wished for, checked and completed.
fn spec_of(wish: CreateTask) -> Result<Wished, ApiError> {
    check_cascade(&wish)?;
    let CreateTask {
        description,
        tool,
        model,
        role,
        cascade,
        at_limit,
        repository,
        network,
        input,
        priority,
        queue,
        worker_id,
        requirements,
        limits,
        retry,
        on_loss,
        ..
    } = wish;
    let input = input.unwrap_or_default();
    let is_command = tool.as_ref().is_some_and(|tool| tool.as_str() == ToolName::COMMAND);
    let description = match &input {
        TaskInput::Command { argv, .. } => {
            if tool.is_some() && !is_command {
                return Err(ApiError::invalid("an input of kind command goes with the tool command"));
            }
            if argv.first().is_none_or(String::is_empty) {
                return Err(ApiError::invalid("input.argv is empty: name a program and its arguments"));
            }
            if description.is_empty() { readable(argv) } else { description }
        }
        TaskInput::Prompt { .. } if is_command => {
            return Err(ApiError::invalid("the tool command needs input {\"kind\": \"command\", \"argv\": [...]}"));
        }
        TaskInput::Prompt { .. } if description.trim().is_empty() => {
            return Err(ApiError::invalid("description is empty: it is the prompt"));
        }
        TaskInput::Prompt { .. } => description,
    };
    if description.len() > MAX_DESCRIPTION {
        let detail = format!("description holds {} bytes; {MAX_DESCRIPTION} are allowed", description.len());
        return Err(ApiError::new(ErrorCode::TooLarge, detail));
    }
    let queue = match (queue, worker_id) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("give queue or worker_id, not both".to_owned())),
        (Some(queue), None) => queue,
        (None, Some(worker_id)) => Queue::Worker { worker_id },
        (None, None) => Queue::default(),
    };
    check_network(network.as_deref().unwrap_or_default())?;
    let retry = retry.unwrap_or_default();
    if retry.max_attempts == 0 {
        return Err(ApiError::invalid("retry.max_attempts is at least 1"));
    }
    let spec = TaskSpec {
        description,
        input,
        tool,
        model,
        role,
        cascade,
        at_limit: at_limit.unwrap_or_default(),
        repository,
        network,
        queue,
        priority: priority.unwrap_or_default(),
        requirements: requirements.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
        retry,
        on_loss: on_loss.unwrap_or_default(),
    };
    Ok(Wished { spec, at_limit })
}

/// Whether these are hosts that a machine could hold a run to.
fn check_network(hosts: &[String]) -> Result<(), ApiError> {
    if hosts.len() > MAX_HOSTS {
        return Err(ApiError::invalid(format!("network holds up to {MAX_HOSTS} hosts")));
    }
    match hosts.iter().find(|host| !names_hosts(host)) {
        Some(host) => {
            let host: String = host.chars().take(64).collect();
            Err(ApiError::invalid(format!("network: \"{host}\" is no host; write example.org, or *.example.org")))
        }
        None => Ok(()),
    }
}

/// An argument vector as people would type it. For reading only; nothing ever parses it back.
fn readable(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = argv.iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) { argument.clone() } else { format!("'{argument}'") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(json: serde_json::Value) -> Result<TaskSpec, ApiError> {
        spec_of(serde_json::from_value(json).unwrap()).map(|wished| wished.spec)
    }

    #[test]
    fn a_prompt_needs_no_more_than_itself() {
        let spec = wish(serde_json::json!({"description": "say hello"})).unwrap();
        assert_eq!((spec.queue, spec.priority.get(), spec.retry.max_attempts), (Queue::User, 5, 3));
    }

    #[test]
    fn a_command_is_described_by_its_arguments() {
        let argv = serde_json::json!({"kind": "command", "argv": ["echo", "a b", "c"]});
        let spec = wish(serde_json::json!({"tool": "command", "input": argv})).unwrap();
        assert_eq!(spec.description, "echo 'a b' c");
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (body, said) in [
            (serde_json::json!({}), "description is empty"),
            (serde_json::json!({"description": "  "}), "description is empty"),
            (serde_json::json!({"description": "x", "tool": "command"}), "the tool command needs input"),
            (
                serde_json::json!({"tool": "demo", "input": {"kind": "command", "argv": ["ls"]}}),
                "goes with the tool command",
            ),
            (serde_json::json!({"input": {"kind": "command", "argv": []}}), "input.argv is empty"),
            (serde_json::json!({"description": "x", "retry": {"max_attempts": 0}}), "max_attempts is at least 1"),
            (serde_json::json!({"description": "x", "role": "coder", "tool": "demo"}), "not both"),
            (serde_json::json!({"description": "x", "cascade": [{"tool": "command"}]}), "takes no prompts"),
            (serde_json::json!({"description": "x", "cascade": [{"tool": "demo", "model": ""}]}), "1 to 200"),
            (serde_json::json!({"description": "x", "tool": "demo", "at_limit": "next"}), "names no tool"),
            (
                serde_json::json!({"role": "coder", "input": {"kind": "command", "argv": ["ls"]}}),
                "no role and no cascade",
            ),
        ] {
            let error = wish(body.clone()).unwrap_err();
            assert!(error.detail().contains(said), "{body}: {}", error.detail());
        }
    }

    #[test]
    fn a_network_names_hosts() {
        let with = |network: serde_json::Value| wish(serde_json::json!({"description": "x", "network": network}));
        assert_eq!(with(serde_json::json!(["*.pkg.dev", "10.0.0.7"])).unwrap().network.unwrap().len(), 2);
        assert_eq!(with(serde_json::json!([])).unwrap().network, Some(Vec::new()));
        for wrong in [serde_json::json!(["https://a.org"]), serde_json::json!([""]), serde_json::json!(vec!["a"; 65])] {
            assert!(with(wrong).is_err());
        }
    }
}
