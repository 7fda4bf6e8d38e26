//! Cascades from outside: who does a role, each try an attempt, and the end that tells of all.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use swarm_client::WorkerClient;
use swarm_model::task::{Outcome, RunRecord};
use swarm_model::tool::ToolName;
use swarm_model::{AtLimit, FailureClass, ModelChoice, Role, TaskStatus};
use swarm_proto::ErrorCode;
use swarm_proto::roles::{SetAtLimit, SetRole};
use swarm_proto::tasks::CreateTask;
use swarm_proto::worker::{Assignment, AttemptResult, Report};
use swarm_testkit::TestCoordinator;
use swarm_testkit::coordinator::capabilities;

use crate::support::{done, heartbeat, prompt, pull};

fn choices(entries: &[&str]) -> Result<Vec<ModelChoice>> {
    entries.iter().map(|entry| Ok(entry.parse()?)).collect()
}

/// Pulls the next attempt and fails it; gives what it was to run.
async fn fails(worker: &WorkerClient, class: FailureClass) -> Result<(ToolName, Option<String>)> {
    let Assignment { task_id, attempt, tool, model, .. } = pull(worker).await?.context("a task")?;
    let attempt = swarm_model::worker::AttemptRef { task_id, attempt };
    let outcome = Outcome::Failed { class, error: format!("it is {class}"), resets_at: None, partial: None };
    let result = AttemptResult { attempt, outcome, record: RunRecord::default() };
    worker.report(&Report { results: vec![result], ..Report::default() }).await?;
    Ok((tool, model))
}

async fn with_two_tools() -> Result<TestCoordinator> {
    let both = capabilities(2, &["codex", "ollama"]);
    let test = TestCoordinator::builder().with_user("ann").with_user("bob").with_capable_worker("attic", both);
    let test = test.build().await?;
    test.worker("attic").heartbeat(&heartbeat(&[])).await?;
    Ok(test)
}

#[tokio::test]
async fn the_second_does_what_the_first_could_not() -> Result<()> {
    let test = with_two_tools().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("attic"));
    let cascade = choices(&["codex:large", "ollama:small"])?;
    let task = ann.create_task(&CreateTask { cascade: cascade.clone(), ..prompt("say hello") }).await?;
    assert_eq!((&task.cascade, &task.tries, task.at_limit), (&cascade, &vec![], AtLimit::Wait));
    let first = fails(worker, FailureClass::Server).await?;
    assert_eq!((first.0.as_str(), first.1.as_deref()), ("codex", Some("large")));

    let placement = ann.placement(task.task_id).await?.summary;
    for said in ["It is at entry 2 of 2: ollama:small.", "Before that, codex:large: server (it is server)."] {
        assert!(placement.contains(said), "{placement}");
    }
    let second = pull(worker).await?.context("the next entry")?;
    assert_eq!((second.tool.as_str(), second.model.as_deref()), ("ollama", Some("small")));
    worker.report(&done(second.attempt_ref(), "hello")).await?;
    let task = ann.task(task.task_id).await?;
    assert_eq!((task.status, task.tries.len()), (TaskStatus::Completed, 1));
    let ran: Vec<_> = task.attempts.iter().map(|one| (one.tool.as_str(), one.model.as_deref())).collect();
    assert_eq!(ran, [("codex", Some("large")), ("ollama", Some("small"))], "each try is an attempt");
    test.finish().await
}

#[tokio::test]
async fn when_all_have_failed_the_task_tells_of_each() -> Result<()> {
    let test = with_two_tools().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("attic"));
    let cascade = choices(&["codex", "gemini-cli:gemini-2.5-pro", "ollama:small"])?;
    let task = ann.create_task(&CreateTask { cascade, ..prompt("say hello") }).await?;
    fails(worker, FailureClass::ContextOverflow).await?;
    fails(worker, FailureClass::Refused).await?;
    let task = ann.task(task.task_id).await?;
    assert_eq!((task.status, task.failure_class), (TaskStatus::Failed, Some(FailureClass::ModelsExhausted)));
    let classes: Vec<_> = task.tries.iter().map(|tried| tried.class).collect();
    assert_eq!(classes, [Some(FailureClass::ContextOverflow), None, Some(FailureClass::Refused)]);
    let error = task.error.context("a sentence")?;
    for said in
        ["codex: context overflow (it is", "gemini-cli gemini-2.5-pro: passed over (no machine", "ollama small:"]
    {
        assert!(error.contains(said), "{error}");
    }
    let again = ann.retry_task(task.task_id).await?;
    assert_eq!((again.cascade.len(), again.tries.len()), (3, 0), "it begins with the first again");
    ann.cancel_task(again.task_id).await?;
    test.finish().await
}

#[tokio::test]
async fn a_task_takes_the_list_of_its_role_along() -> Result<()> {
    let test = with_two_tools().await?;
    let (ann, bob) = (&test.user("ann").client, &test.user("bob").client);
    let shipped = ann.role(Role::Planner).await?;
    assert!(!shipped.is_own && shipped.entries.contains(&"gemini-cli:gemini-2.5-pro".parse()?), "{shipped:?}");
    let mine = ann.set_role(Role::Planner, &SetRole { entries: choices(&["ollama:small", "codex"])? }).await?;
    assert!(mine.is_own);
    let wish = CreateTask { role: Some(Role::Planner), ..prompt("plan it") };
    let task = ann.create_task(&wish).await?;
    assert_eq!((task.role, &task.cascade), (Some(Role::Planner), &mine.entries));
    assert_eq!(bob.create_task(&wish).await?.cascade, shipped.entries, "it is hers alone");

    ann.reset_role(Role::Planner).await?;
    ann.set_at_limit(&SetAtLimit { at_limit: AtLimit::Next }).await?;
    assert_eq!(ann.task(task.task_id).await?.cascade, mine.entries, "what was submitted stays as it is");
    let later = ann.create_task(&wish).await?;
    assert_eq!((&later.cascade, later.at_limit), (&shipped.entries, AtLimit::Next));
    let patient = CreateTask { at_limit: Some(AtLimit::Wait), ..wish };
    assert_eq!(ann.create_task(&patient).await?.at_limit, AtLimit::Wait);
    let plain = ann.create_task(&prompt("plain")).await?;
    assert_eq!((plain.at_limit, plain.cascade.len()), (AtLimit::Wait, 0), "it has nowhere to go on");
    let anywhere = ann.create_task(&CreateTask { at_limit: Some(AtLimit::Next), ..prompt("anywhere") }).await?;
    assert!(anywhere.cascade.len() > 5 && anywhere.cascade.iter().all(|choice| choice.tool.as_str() != "demo"));
    let roles = ann.roles().await?;
    assert_eq!((roles.at_limit, roles.items.len()), (AtLimit::Next, 5));
    assert!(roles.items.iter().all(|role| !role.is_own && !role.entries.is_empty()));
    let audit: Value = test.get("/api/v1/audit").bearer(&test.user("ann").token).send().await.json();
    assert!(audit.to_string().contains("role_chosen"), "{audit}");
    test.user("ann").client.cancel_task(task.task_id).await?;
    test.finish().await
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused() -> Result<()> {
    let test = with_two_tools().await?;
    let token = &test.user("ann").token;
    for (body, status) in [
        (json!({ "entries": [] }), 400),
        (json!({ "entries": [{ "tool": "command" }] }), 400),
        (json!({ "entries": [{ "tool": "codex", "model": "a\u{7}b" }] }), 400),
        (json!({ "entries": vec![json!({ "tool": "codex" }); 17] }), 400),
    ] {
        let answer =
            test.request(axum::http::Method::PUT, "/api/v1/roles/coder").bearer(token).json(&body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert_eq!(answer.problem().code, ErrorCode::InvalidRequest, "{body}");
    }
    let nobody = test.get("/api/v1/roles/poet").bearer(token).send().await;
    assert!(nobody.status.is_client_error(), "{}", nobody.status);
    test.finish().await
}
