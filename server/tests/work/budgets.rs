//! Budgets from outside: what waits for one, how it goes on, and who sets them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use swarm_client::{ClientError, WorkerClient};
use swarm_model::budget::{BudgetPeriod, BudgetUnit};
use swarm_model::task::{CostKind, Limits, Outcome, RunRecord, TaskResult, Usage, WaitReason};
use swarm_model::{FailureClass, TaskStatus};
use swarm_proto::ErrorCode;
use swarm_proto::budgets::{BudgetState, CreateBudget, UpdateBudget};
use swarm_proto::tasks::{CreateTask, UpdateTask};
use swarm_proto::worker::{AttemptResult, Report};
use swarm_testkit::TestCoordinator;

use crate::support::{heartbeat, prompt, pull};

fn tokens(amount: u64) -> CreateBudget {
    let (period, unit) = (BudgetPeriod::Day, BudgetUnit::Tokens);
    CreateBudget { username: None, worker_id: None, tool: None, period, unit, amount }
}

fn used(tokens: u64) -> RunRecord {
    let usage = Usage { input_tokens: Some(tokens), cost_kind: CostKind::Unknown, ..Usage::default() };
    RunRecord { usage, session: Some("session-7".to_owned()), ..RunRecord::default() }
}

/// Pulls the next task and ends it; gives its limit in tokens and the session that it went on with.
async fn ends(worker: &WorkerClient, outcome: Outcome, record: RunRecord) -> Result<(Option<u64>, Option<String>)> {
    let given = pull(worker).await?.context("a task")?;
    let result = AttemptResult { attempt: given.attempt_ref(), outcome, record };
    worker.report(&Report { results: vec![result], ..Report::default() }).await?;
    Ok((given.limits.tokens, given.resume_session))
}

fn completed() -> Outcome {
    Outcome::Completed { result: TaskResult { text: "done".to_owned(), ..TaskResult::default() } }
}

fn stopped() -> Outcome {
    let error = "the run used more than it may".to_owned();
    Outcome::Failed { class: FailureClass::Budget, error, resets_at: None, partial: None }
}

#[tokio::test]
async fn a_task_that_used_its_budget_waits_and_goes_on_with_its_session() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("attic"));
    worker.heartbeat(&heartbeat(&[])).await?;
    let limits = Limits { tokens: Some(1_000), ..Limits::default() };
    let task = ann.create_task(&CreateTask { limits: Some(limits.clone()), ..prompt("think") }).await?;
    assert_eq!(ends(worker, stopped(), used(1_000)).await?, (Some(1_000), None));
    let waits = ann.task(task.task_id).await?;
    assert_eq!((waits.status, waits.wait_reason), (TaskStatus::Waiting, Some(WaitReason::Budget)));
    assert_eq!(
        waits.wait_detail.as_deref(),
        Some("used 1,000 of 1,000 tokens; raise it with `garageswarm task budget 1 --tokens 2000`")
    );
    assert_eq!(waits.used.map(|used| used.tokens), Some(1_000));
    assert_eq!(ann.status().await?.short[0].detail, waits.wait_detail.clone().unwrap_or_default());
    let placement = ann.placement(task.task_id).await?.summary;
    assert!(placement.starts_with("Waits for a budget: used 1,000 of 1,000 tokens;"), "{placement}");

    let another =
        UpdateTask { version: waits.version, description: Some("x".to_owned()), priority: None, limits: None };
    let refused = ann.update_task(task.task_id, &another).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::Conflict), "its session has its prompt");
    let more = Limits { tokens: Some(2_500), ..limits };
    let raise = UpdateTask { version: waits.version, description: None, priority: None, limits: Some(more) };
    assert_eq!(ann.update_task(task.task_id, &raise).await?.wait_detail, None);
    assert_eq!(ends(worker, completed(), used(9)).await?, (Some(1_500), Some("session-7".to_owned())));
    assert_eq!(ann.task(task.task_id).await?.status, TaskStatus::Completed);
    test.finish().await
}

#[tokio::test]
async fn a_budget_warns_holds_and_lets_go() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("attic"));
    worker.heartbeat(&heartbeat(&[])).await?;
    ann.create_task(&prompt("before")).await?;
    ends(worker, completed(), used(100)).await?;
    let budget = ann.create_budget(&tokens(1_000)).await?;
    assert_eq!((budget.used, budget.state), (100, BudgetState::Open), "what was used today counts");
    assert_eq!(budget.username.as_deref(), Some("ann"));

    ann.create_task(&prompt("one")).await?;
    assert_eq!(ends(worker, completed(), used(650)).await?.0, Some(900));
    let seen = ann.status().await?.budgets;
    assert_eq!((seen.len(), seen[0].used, seen[0].state), (1, 750, BudgetState::Warned));
    ann.create_task(&prompt("two")).await?;
    ends(worker, completed(), used(300)).await?;
    let held = ann.create_task(&prompt("three")).await?;
    assert_eq!((held.status, held.wait_reason), (TaskStatus::Waiting, Some(WaitReason::Budget)));
    assert!(held.wait_detail.context("a sentence")?.contains("1,000 tokens for a day is used up until"));
    let events: Value = test.get("/api/v1/status").bearer(&test.user("ann").token).send().await.json();
    assert_eq!(events["budgets"][0]["state"], "spent", "{events}");

    let raised = ann.change_budget(budget.budget_id, &UpdateBudget { amount: 2_000 }).await?;
    assert_eq!((raised.used, raised.state), (1_050, BudgetState::Open));
    assert_eq!(ends(worker, completed(), used(950)).await?.0, Some(950));
    let next = ann.create_task(&prompt("four")).await?;
    assert_eq!(next.status, TaskStatus::Waiting);
    test.jump(Duration::from_hours(24)).await?;
    worker.heartbeat(&heartbeat(&[])).await?;
    assert_eq!(ann.task(next.task_id).await?.status, TaskStatus::Queued, "a new day");
    assert_eq!(ann.budgets().await?.items[0].used, 0);
    assert_eq!(ends(worker, completed(), used(2_000)).await?.0, Some(2_000));
    let last = ann.create_task(&prompt("five")).await?;
    assert_eq!(last.status, TaskStatus::Waiting);
    ann.remove_budget(budget.budget_id).await?;
    assert_eq!(ends(worker, completed(), used(1)).await?.0, None);
    let audit: Value = test.get("/api/v1/audit").bearer(&test.user("ann").token).send().await.json();
    for action in ["budget_set", "budget_changed", "budget_removed"] {
        assert!(audit.to_string().contains(action), "{action}: {audit}");
    }
    test.finish().await
}

#[tokio::test]
async fn what_an_admin_set_an_admin_changes_and_owners_see_to_their_machines() -> Result<()> {
    let builder = TestCoordinator::builder().with_user("ada").with_user("ben").with_user("eve");
    let mut test = builder.build().await?;
    test.add_worker("ben", "cellar", swarm_testkit::coordinator::capabilities(1, &["demo"])).await?;
    let (ada, ben, eve) = (&test.user("ada").client, &test.user("ben").client, &test.user("eve").client);
    let of_ben = CreateBudget { username: Some("ben".to_owned()), ..tokens(500) };
    let code = |error: ClientError| error.code();
    assert_eq!(eve.create_budget(&of_ben).await.map_err(code), Err(Some(ErrorCode::Forbidden)));
    let bound = ada.create_budget(&of_ben).await?;
    assert_eq!(ben.budgets().await?.items.len(), 1, "who is bound by it sees it");
    let more = UpdateBudget { amount: 9 };
    assert_eq!(ben.change_budget(bound.budget_id, &more).await.map_err(code), Err(Some(ErrorCode::NotFound)));
    assert_eq!(ben.remove_budget(bound.budget_id).await.map_err(code), Err(Some(ErrorCode::NotFound)));
    assert_eq!(ada.change_budget(bound.budget_id, &more).await?.amount, 9);

    let worker_id = ben.workers().await?.items[0].worker_id;
    let of_cellar = CreateBudget { worker_id: Some(worker_id), ..tokens(500) };
    assert_eq!(eve.create_budget(&of_cellar).await.map_err(code), Err(Some(ErrorCode::Forbidden)));
    let cellar = ben.create_budget(&of_cellar).await?;
    assert_eq!(cellar.machine_name.as_deref(), Some("cellar"));
    assert_eq!((eve.budgets().await?.items.len(), ada.budgets().await?.items.len()), (0, 2));
    let own = ben.create_budget(&CreateBudget { username: Some("ben".to_owned()), ..tokens(1) }).await?;
    ben.remove_budget(own.budget_id).await?;
    for bad in [
        json!({ "period": "day", "unit": "tokens", "amount": 0 }),
        json!({ "period": "year", "unit": "tokens", "amount": 1 }),
    ] {
        let answer = test.post("/api/v1/budgets").bearer(&test.user("ben").token).json(&bad).send().await;
        assert!(answer.status.is_client_error(), "{bad}");
    }
    test.finish().await
}
