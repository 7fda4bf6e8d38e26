use std::collections::HashSet;

use anyhow::Result;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use swarm_model::TaskStatus;
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{CreateTask, CreateTasks, ListTasks, Task, UpdateTask};
use swarm_testkit::TestCoordinator;

use crate::support::prompt;

fn code(error: &swarm_client::ClientError) -> Option<ErrorCode> {
    match error {
        swarm_client::ClientError::Api(problem) => Some(problem.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_task_is_submitted_read_listed_and_found_by_its_number() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&prompt("say hello")).await?;
    assert_eq!((task.number.0, task.status, task.version), (1, TaskStatus::Queued, 1));
    assert_eq!(ann.task(task.task_id).await?, task);
    assert_eq!(ann.task(swarm_model::TaskRef::Number(task.number)).await?, task);
    let by_text =
        ListTasks { text: Some("HELLO".to_owned()), status: Some("queued,running".to_owned()), ..ListTasks::default() };
    assert_eq!(ann.tasks(&by_text).await?.items, [task]);
    let none = ListTasks { status: Some("completed".to_owned()), ..ListTasks::default() };
    assert_eq!(ann.tasks(&none).await?.items, []);
    test.finish().await
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let ann = &test.user("ann").client;
    ann.create_tasks(&CreateTasks { tasks: (0..7).map(|n| prompt(&format!("task {n}"))).collect() }).await?;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = ann.tasks(&ListTasks { limit: Some(3), cursor, ..ListTasks::default() }).await?;
        seen.extend(page.items.iter().map(|task| task.number.0));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    test.finish().await
}

#[tokio::test]
async fn the_same_key_gives_the_same_task_also_at_once() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    let keyed = CreateTask { idempotency_key: Some("night run".to_owned()), ..prompt("once") };
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, keyed) = (test.user("ann").client.clone(), keyed.clone());
        under_way.spawn(async move { client.create_task(&keyed).await.map(|task| task.number) });
    }
    let numbers: HashSet<_> = under_way.join_all().await.into_iter().collect::<Result<_, _>>()?;
    assert_eq!(numbers.len(), 1);
    assert_eq!(test.user("bob").client.create_task(&keyed).await?.number.0, 2, "another person, another task");
    let again = test.post("/api/v1/tasks").bearer(&test.user("ann").token).json(&keyed).send().await;
    assert_eq!(again.status, StatusCode::OK, "not created");
    test.finish().await
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let ann = &test.user("ann").client;
    let error = ann.create_tasks(&CreateTasks { tasks: vec![prompt("good"), prompt("")] }).await.unwrap_err();
    assert!(error.to_string().contains("tasks[1]"), "{error}");
    assert_eq!(ann.tasks(&ListTasks::default()).await?.items, []);
    test.finish().await
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&prompt("first")).await?;
    let edit =
        UpdateTask { version: task.version, description: Some("second".to_owned()), priority: None, limits: None };
    let edited = ann.update_task(task.task_id, &edit).await?;
    assert_eq!((edited.description.as_str(), edited.version), ("second", 2));
    let error = ann.update_task(task.task_id, &edit).await.unwrap_err();
    assert_eq!(code(&error), Some(ErrorCode::VersionConflict));
    test.finish().await
}

#[tokio::test]
async fn a_queued_task_is_cancelled_then_deleted_or_tried_again() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&prompt("never mind")).await?;
    assert_eq!(code(&ann.delete_task(task.task_id).await.unwrap_err()), Some(ErrorCode::Conflict));
    assert_eq!(code(&ann.retry_task(task.task_id).await.unwrap_err()), Some(ErrorCode::Conflict));
    assert_eq!(ann.cancel_task(task.task_id).await?.status, TaskStatus::Cancelled);
    assert_eq!(code(&ann.cancel_task(task.task_id).await.unwrap_err()), Some(ErrorCode::Conflict));
    let again = ann.retry_task(task.task_id).await?;
    assert_eq!((again.retry_of, again.status), (Some(task.task_id), TaskStatus::Queued));
    ann.delete_task(task.task_id).await?;
    assert_eq!(code(&ann.task(task.task_id).await.unwrap_err()), Some(ErrorCode::NotFound));
    test.finish().await
}

#[tokio::test]
async fn other_peoples_tasks_do_not_exist() -> Result<()> {
    let test = TestCoordinator::builder().with_user("admin").with_user("ann").with_user("bob").build().await?;
    let task = test.user("ann").client.create_task(&prompt("private words")).await?;
    let bob = &test.user("bob").token;
    for (method, path) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::POST, "/cancel"),
        (Method::POST, "/retry"),
        (Method::GET, "/logs"),
        (Method::GET, "/attempts"),
        (Method::GET, "/artifacts"),
        (Method::GET, "/artifacts/00"),
        (Method::GET, "/placement"),
    ] {
        let path = format!("/api/v1/tasks/{}{path}", task.task_id);
        let stranger = test.request(method.clone(), &path).send().await;
        assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        let other = test.request(method.clone(), &path).bearer(bob).send().await;
        assert_eq!(other.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert!(!String::from_utf8_lossy(&other.body).contains("private"), "{method} {path}");
    }
    assert_eq!(test.user("bob").client.tasks(&ListTasks::default()).await?.items, []);

    let admin = test.user("admin");
    assert_eq!(code(&admin.client.task(task.task_id).await.unwrap_err()), Some(ErrorCode::NotFound));
    let cancelled: Task =
        test.post(&format!("/api/v1/tasks/{}/cancel", task.task_id)).bearer(&admin.token).send().await.json();
    assert_eq!(
        (cancelled.status, cancelled.description.as_str()),
        (TaskStatus::Cancelled, ""),
        "ended without being read"
    );
    test.finish().await
}

#[tokio::test]
async fn bad_input_gets_an_error_that_says_what_to_do() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let token = &test.user("ann").token;
    for (body, said) in [
        (json!({"description": "x", "priority": 11}), "priority 11 is not between 1 and 10"),
        (json!({"description": "x", "tool": "No Tool"}), "cannot name a tool"),
        (json!({"description": "x", "prioritty": 1}), "unknown field `prioritty`"),
        (json!({"tool": "command"}), "argv"),
        (json!({"description": "x", "idempotency_key": ""}), "idempotency_key"),
    ] {
        let answer = test.post("/api/v1/tasks").bearer(token).json(&body).send().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let problem: Value = serde_json::from_slice(&answer.body)?;
        assert!(problem["detail"].as_str().unwrap_or_default().contains(said), "{body}: {problem}");
    }
    let unknown = test.get("/api/v1/tasks?status=done").bearer(token).send().await;
    assert!(String::from_utf8_lossy(&unknown.body).contains("completed"), "it names the statuses there are");
    test.finish().await
}

#[tokio::test]
async fn so_many_tasks_may_wait_and_no_more() -> Result<()> {
    let test = TestCoordinator::builder()
        .with_user("ann")
        .with_user("bob")
        .with_config(|config| config.limits.waiting_tasks = 2)
        .build()
        .await?;
    let ann = &test.user("ann").client;
    let first = ann.create_task(&prompt("one")).await?;
    ann.create_task(&prompt("two")).await?;
    assert_eq!(code(&ann.create_task(&prompt("three")).await.unwrap_err()), Some(ErrorCode::TooManyRequests));
    test.user("bob").client.create_task(&prompt("mine")).await?;
    ann.cancel_task(first.task_id).await?;
    ann.create_task(&prompt("three")).await?;
    test.finish().await
}

#[tokio::test]
async fn placement_says_why_nothing_fits() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let ann = &test.user("ann").client;
    let task = ann.create_task(&CreateTask { tool: Some("ollama".parse()?), ..prompt("hm") }).await?;
    let placement = ann.placement(task.task_id).await?;
    assert_eq!(placement.candidates[0].reasons, ["the machine is offline"]);
    let (_socket, _) = crate::support::join(test.worker("attic"), &[]).await?;
    let placement = ann.placement(task.task_id).await?;
    assert_eq!((placement.ahead, placement.candidates[0].machine_name.as_str()), (Some(0), "attic"));
    assert_eq!(placement.candidates[0].reasons, ["it has no ollama"]);
    assert!(placement.summary.starts_with("No match"), "{}", placement.summary);
    test.finish().await
}
