//! What was used, from outside: the record of each attempt, the sums of days, and who sees what.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::StatusCode;
use serde_json::{Value, json};
use swarm_client::WorkerClient;
use swarm_model::change::{AttemptOutcome, AttemptStatus};
use swarm_model::day::Day;
use swarm_model::task::{CostKind, Outcome, RunRecord, TaskResult, Usage};
use swarm_model::tool::{Account, ToolHealth};
use swarm_model::usage::UsageBy;
use swarm_model::worker::{AttemptRef, ToolGrant};
use swarm_model::{FailureClass, Timestamp};
use swarm_proto::tasks::{Attempt, CreateTask};
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};
use swarm_proto::worker::{AttemptResult, Report};
use swarm_testkit::TestCoordinator;
use swarm_testkit::coordinator::capabilities;

use crate::support::{accepted, done, heartbeat, join, prompt, pull};

fn record(cost: u64) -> RunRecord {
    let usage = Usage {
        input_tokens: Some(100),
        output_tokens: Some(10),
        reasoning_tokens: Some(4),
        cost_microusd: Some(cost),
        cost_kind: CostKind::Reported,
        ..Usage::default()
    };
    RunRecord { model: Some("m1".to_owned()), duration_ms: Some(1_000), usage, ..RunRecord::default() }
}

fn ended(attempt: AttemptRef, outcome: Outcome, record: RunRecord) -> Report {
    Report { results: vec![AttemptResult { attempt, outcome, record }], ..Report::default() }
}

fn completed() -> Outcome {
    Outcome::Completed { result: TaskResult { text: "a secret answer".to_owned(), ..TaskResult::default() } }
}

/// Pulls the next task and ends it with these facts.
async fn does(worker: &WorkerClient, outcome: Outcome, record: RunRecord) -> Result<AttemptRef> {
    let attempt = pull(worker).await?.context("a task")?.attempt_ref();
    worker.report(&accepted(attempt)).await?;
    worker.report(&ended(attempt, outcome, record)).await?;
    Ok(attempt)
}

fn by(by: &str) -> ReadUsage {
    ReadUsage { by: Some(by.to_owned()), ..ReadUsage::default() }
}

#[tokio::test]
async fn every_attempt_has_a_record_that_its_person_reads() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("script").build().await?;
    let (ann, worker) = (&test.user("ann").client, test.worker("script"));
    worker.heartbeat(&heartbeat(&[])).await?;
    let task = ann.create_task(&prompt("think hard")).await?;
    assert_eq!(ann.task(task.task_id).await?.attempts, []);

    let resets_at: Timestamp = "2026-01-31T13:00:00Z".parse()?;
    let error = "the limit is reached".to_owned();
    let spent = Outcome::Failed { class: FailureClass::Quota, error, resets_at: Some(resets_at), partial: None };
    let told = RunRecord { raw_tail: Some("429 too many".to_owned()), exit_code: Some(1), ..record(70) };
    does(worker, spent, told).await?;
    let attempts = ann.task(task.task_id).await?.attempts;
    assert_eq!(attempts, ann.task_attempts(task.task_id).await?.items, "the same with the task and by themselves");
    let [Attempt { outcome, retryable, record: Some(kept), .. }] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((*outcome, *retryable), (Some(AttemptOutcome::Parked), Some(true)));
    assert_eq!((kept.resets_at, kept.exit_code), (Some(resets_at), Some(1)));
    assert_eq!((kept.raw_tail.as_deref(), kept.usage.reasoning_tokens), (Some("429 too many"), Some(4)));

    // It goes on by itself when the limit ends.
    test.jump(Duration::from_hours(2)).await?;
    worker.heartbeat(&heartbeat(&[])).await?;
    does(worker, completed(), RunRecord { raw_tail: Some("noise".to_owned()), ..record(30) }).await?;
    let task = ann.task(task.task_id).await?;
    let outcomes: Vec<_> = task.attempts.iter().map(|attempt| attempt.outcome.map(AttemptOutcome::as_str)).collect();
    assert_eq!(outcomes, [Some("parked"), Some("completed")]);
    let last = task.attempts[1].record.as_ref().context("a record")?;
    assert_eq!(last.raw_tail, None, "of what went well nobody needs it");
    // The list stays short.
    let listed = ann.tasks(&Default::default()).await?.items;
    assert_eq!(listed[0].attempts, []);
    let used = ann.usage(&by("")).await?.total;
    assert_eq!((used.runs, used.completed_runs, used.reported_microusd), (2, 1, 100));
    test.finish().await
}

#[tokio::test]
async fn what_a_machine_did_is_seen_by_its_owner_without_the_text() -> Result<()> {
    let mut grants = capabilities(2, &["demo", "command"]);
    grants.grants = vec![ToolGrant { tool: "demo".parse()?, user_id: None, slots: None }];
    let builder = TestCoordinator::builder().with_user("ada").with_user("olga").with_user("otto").with_user("eve");
    let mut test = builder.build().await?;
    test.add_worker("olga", "attic", grants).await?;
    let attic = test.worker("attic").clone();
    let olga = &test.user("olga").client;
    let share = json!({ "username": "otto" });
    let share = serde_json::from_value(share)?;
    olga.share_worker(attic.worker_id(), &share).await?;
    attic.heartbeat(&heartbeat(&[])).await?;

    test.user("otto").client.create_task(&prompt("my secret diary")).await?;
    let failed = Outcome::Failed {
        class: FailureClass::Refused,
        error: "diary page one".to_owned(),
        resets_at: None,
        partial: None,
    };
    let told = RunRecord { raw_tail: Some("dear diary".to_owned()), session: Some("diary-7".to_owned()), ..record(50) };
    does(&attic, failed, told).await?;
    olga.create_task(&prompt("my own")).await?;
    does(&attic, completed(), record(5)).await?;

    let seen =
        async |name: &str| -> Result<UsageReport> { Ok(test.user(name).client.usage(&by("user,worker")).await?) };
    let runs = |report: &UsageReport| -> Vec<(Option<String>, i64)> {
        report.items.iter().map(|item| (item.username.clone(), item.sums.runs)).collect()
    };
    let both = [(Some("olga".to_owned()), 1), (Some("otto".to_owned()), 1)];
    assert_eq!(runs(&seen("olga").await?), both, "her own, and what ran on her machine");
    assert_eq!(runs(&seen("ada").await?), both, "an admin sees all");
    assert_eq!(runs(&seen("otto").await?), both[1..], "his own");
    assert_eq!(runs(&seen("eve").await?), []);
    let item = &seen("olga").await?.items[1];
    assert_eq!((item.machine_name.as_deref(), item.sums.reported_microusd), (Some("attic"), 50));
    assert_eq!((item.day, item.tool.as_ref()), (None, None), "what was not asked for is not there");

    // No way leads her to the text: neither the sums, nor the runs of her machine, nor the task.
    let token = &test.user("olga").token;
    let on_attic = format!("/api/v1/workers/{}/runs", attic.worker_id());
    for path in ["/api/v1/usage?by=day,user,worker,tool,model", on_attic.as_str()] {
        let answer = test.get(path).bearer(token).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(!answer.text().contains("diary"), "{path}: {}", answer.text());
    }
    assert_eq!(test.get("/api/v1/tasks/1").bearer(token).send().await.status, StatusCode::NOT_FOUND);
    assert_eq!(test.get("/api/v1/tasks/1/attempts").bearer(token).send().await.status, StatusCode::NOT_FOUND);

    // Once the machine is somebody else's business, so is what others did on it.
    olga.remove_worker(attic.worker_id()).await?;
    assert_eq!(runs(&seen("olga").await?), both[..1]);
    assert_eq!(seen("otto").await?.items[0].machine_name.as_deref(), Some("attic"), "a name outlives its machine");
    test.finish().await
}

#[tokio::test]
async fn sums_are_of_days_and_keep_what_is_deleted() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ada").with_user("ann").with_worker("script").build().await?;
    let (ada, worker) = (&test.user("ada").client, test.worker("script"));
    for day in 0..3 {
        worker.heartbeat(&heartbeat(&[])).await?;
        let task = ada.create_task(&prompt("again")).await?;
        does(worker, completed(), record(10 + day)).await?;
        if day == 0 {
            ada.delete_task(task.task_id).await?;
        }
        test.jump(Duration::from_hours(24)).await?;
    }
    let report = ada.usage(&ReadUsage::default()).await?;
    let days: Vec<_> = report.items.iter().map(|item| item.day.map(|day| day.to_string())).collect();
    assert_eq!(days, ["2026-01-31", "2026-02-01", "2026-02-02"].map(|day| Some(day.to_owned())));
    assert_eq!((report.by.as_slice(), report.total.runs, report.total.reported_microusd), (&[UsageBy::Day][..], 3, 33));
    assert_eq!((report.from.to_string(), report.to.to_string()), ("2026-01-05".to_owned(), "2026-02-03".to_owned()));

    let day: Day = "2026-02-01".parse()?;
    let one = ReadUsage { from: Some(day), to: Some(day), ..by("tool,model") };
    let one = ada.usage(&one).await?;
    assert_eq!((one.items.len(), one.items[0].model.as_deref(), one.total.reported_microusd), (1, Some("m1"), 11));
    let other = ReadUsage { tool: Some("command".to_owned()), ..by("day") };
    assert_eq!(ada.usage(&other).await?.items, []);

    for (query, said) in [
        ("by=moon", "there are day, user, worker, tool, model"),
        ("from=2026-02-02&to=2026-02-01", "is after"),
        ("from=yesterday", "is not a day such as"),
        ("tool=No%20Tool", "cannot name a tool"),
        ("since=7d", "unknown field"),
    ] {
        let answer = test.get(&format!("/api/v1/usage?{query}")).bearer(&test.user("ada").token).send().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.problem().detail.contains(said), "{query}: {}", answer.problem().detail);
    }
    test.finish().await
}

#[tokio::test]
async fn a_result_that_comes_too_late_is_paid_for_once() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("first").with_worker("second").build().await?;
    let ann = &test.user("ann").client;
    let (first, second) = (test.worker("first"), test.worker("second"));
    let task = ann.create_task(&prompt("slow")).await?;
    first.heartbeat(&heartbeat(&[])).await?;
    let old = pull(first).await?.context("a task")?.attempt_ref();
    first.report(&accepted(old)).await?;
    test.advance(Duration::from_secs(63)).await?;
    let lost = ann.usage(&by("")).await?.total;
    assert_eq!((lost.runs, lost.unknown_cost_runs, lost.known_microusd()), (1, 1, 0), "nobody knows what it cost");

    second.heartbeat(&heartbeat(&[])).await?;
    does(second, completed(), record(10)).await?;
    for _ in 0..2 {
        first.report(&ended(old, completed(), record(500))).await?;
        let used = ann.usage(&by("")).await?.total;
        assert_eq!((used.runs, used.completed_runs), (2, 1));
        assert_eq!((used.unknown_cost_runs, used.known_microusd()), (0, 510));
    }
    let attempts = ann.task(task.task_id).await?.attempts;
    assert_eq!((attempts[0].status, attempts[0].has_late_result), (AttemptStatus::Lost, true));
    assert_eq!(attempts[0].record.as_ref().context("what it told")?.usage.cost_microusd, Some(500));
    test.finish().await
}

#[tokio::test]
async fn the_registry_has_every_tool_where_it_is_and_how_it_is() -> Result<()> {
    let mut brought = capabilities(2, &["demo", "ollama", "claude-code"]);
    brought.tools[0].max_concurrent = Some(1);
    brought.tools[1].models = vec!["llama3".to_owned(), "gemma".to_owned()];
    brought.tools[2].health = ToolHealth::NeedsLogin { fix: "run `claude` once".to_owned() };
    let mut test = TestCoordinator::builder().with_user("ada").with_user("ann").may_leave_leases().build().await?;
    test.add_worker("ann", "attic", brought.clone()).await?;
    test.add_worker("ada", "cellar", capabilities(3, &["demo"])).await?;
    let ann = &test.user("ann").client;

    let tool = async |name: &str, of: &str| -> Result<Option<SwarmTool>> {
        let known = test.user(of).client.tools().await?.items;
        Ok(known.into_iter().find(|tool| tool.name.as_str() == name))
    };
    let names = |tools: &[SwarmTool]| tools.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&ann.tools().await?.items), ["claude-code", "demo", "ollama"], "also while it is away");
    let demo = tool("demo", "ann").await?.context("known")?;
    assert_eq!((demo.ready, demo.slots, demo.free, demo.workers.len()), (0, 0, 0, 1), "the other machine is not hers");

    let mut hello = heartbeat(&[]);
    hello.capabilities = Some(brought);
    test.worker("attic").heartbeat(&hello).await?;
    let ollama = tool("ollama", "ann").await?.context("known")?;
    assert_eq!((ollama.ready, ollama.slots, ollama.free), (1, 2, 2));
    assert_eq!(ollama.models, ["gemma", "llama3"]);
    let demo = tool("demo", "ann").await?.context("known")?;
    assert_eq!((demo.slots, demo.free), (1, 1), "one run at once, as its owner set it");
    let claude = tool("claude-code", "ann").await?.context("known")?;
    assert_eq!((claude.ready, claude.free), (0, 0));
    assert!(matches!(&claude.workers[0].health, ToolHealth::NeedsLogin { fix } if fix == "run `claude` once"));

    // A run takes its slot; an admin sees what is there and may not use it.
    ann.create_task(&CreateTask { tool: Some("demo".parse()?), ..prompt("busy") }).await?;
    pull(test.worker("attic")).await?.context("a task")?;
    let demo = tool("demo", "ann").await?.context("known")?;
    assert_eq!((demo.slots, demo.free), (1, 0));
    assert_eq!(tool("ollama", "ann").await?.context("known")?.free, 1);
    let (_socket, _) = join(test.worker("cellar"), &[]).await?;
    let demo = tool("demo", "ada").await?.context("known")?;
    let on: Vec<_> = demo.workers.iter().map(|on| (on.machine_name.as_str(), on.free)).collect();
    assert_eq!(on, [("attic", 0), ("cellar", 2)]);
    assert_eq!(tool("codex", "ada").await?, None, "what nobody has is not there");
    test.finish().await
}

#[tokio::test]
async fn a_key_for_tasks_reads_what_its_person_used_and_no_more() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ada").with_worker("script").with_user("ann").build().await?;
    let (ada, ann) = (test.user("ada"), test.user("ann"));
    let worker = test.worker("script");
    worker.heartbeat(&heartbeat(&[])).await?;
    ada.client.create_task(&prompt("mine")).await?;
    let attempt = pull(worker).await?.context("a task")?.attempt_ref();
    worker.report(&done(attempt, "ok")).await?;
    let usage = async |owner: &swarm_testkit::coordinator::TestUser, scope: &str| -> Result<Value> {
        let wish = json!({ "kind": "api", "name": scope, "scopes": [scope] });
        let key: Value = test.post("/api/v1/keys").bearer(&owner.token).json(&wish).send().await.json();
        let secret = key["secret"].as_str().context("a secret")?.to_owned();
        let answer = test.get("/api/v1/usage?by=").bearer(&secret).send().await;
        if answer.status != StatusCode::OK {
            return Ok(json!(answer.status.as_u16()));
        }
        Ok(answer.json::<Value>()["total"]["runs"].clone())
    };
    assert_eq!(usage(ada, "tasks:read").await?, 1, "an admin's key without `workers:read` sees the admin's own");
    assert_eq!(usage(ada, "workers:read").await?, 403);
    assert_eq!(usage(ann, "tasks:read").await?, 0);
    test.finish().await
}

#[tokio::test]
async fn a_limit_names_its_machines_and_the_registry_their_accounts() -> Result<()> {
    let account = Account { id: "a1b2".to_owned(), label: "key ...a1b2".to_owned() };
    let mut brings = capabilities(1, &["demo", "command"]);
    for tool in brings.tools.iter_mut().filter(|tool| tool.name.as_str() == "demo") {
        tool.account = Some(account.clone());
    }
    let mut test = TestCoordinator::builder().with_user("ann").build().await?;
    test.add_worker("ann", "attic", brings).await?;
    let (ann, attic) = (&test.user("ann").client, test.worker("attic").clone());
    attic.heartbeat(&heartbeat(&[])).await?;
    ann.create_task(&prompt("think hard")).await?;
    let error = "usage limit reached".to_owned();
    let resets_at: Timestamp = "2026-01-31T13:00:00Z".parse()?;
    let spent = Outcome::Failed { class: FailureClass::Quota, error, resets_at: Some(resets_at), partial: None };
    does(&attic, spent, record(0)).await?;

    let limits = ann.status().await?.limits;
    let [limit] = &limits[..] else { panic!("{limits:?}") };
    assert_eq!((limit.account.as_str(), &limit.workers[..]), ("key ...a1b2", &[attic.worker_id()][..]));
    assert_eq!(limit.tools.iter().map(swarm_model::ToolName::as_str).collect::<Vec<_>>(), ["demo"]);
    let tools = ann.tools().await?.items;
    let accounts: Vec<_> = tools.iter().map(|tool| (tool.name.as_str(), tool.workers[0].account.as_deref())).collect();
    assert_eq!(accounts, [("command", None), ("demo", Some("key ...a1b2"))]);
    test.finish().await
}
