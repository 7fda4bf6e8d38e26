//! A real client of the protocol over HTTP: a task is handed in, watched, and ended.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use rmcp::model::{CallToolRequestParams, ClientConfig, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient, ServiceExt as _};
use serde_json::{Value, json};
use swarm_proto::worker::ToCoordinator;
use swarm_testkit::TestCoordinator;

use crate::support::{accepted, assigned, done, join, line, said};

/// A client that remembers how it was told that a wait goes on.
#[derive(Debug, Clone, Default)]
struct Patient(Arc<Mutex<Vec<String>>>);

impl ClientHandler for Patient {
    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(params.message);
    }

    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }
}

type Connected = RunningService<RoleClient, Patient>;

async fn connect(test: &TestCoordinator, token: &str) -> Result<Connected> {
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", test.url())).auth_header(token);
    Ok(Patient::default().serve(StreamableHttpClientTransport::from_config(config)).await?)
}

async fn call(client: &Connected, tool: &'static str, arguments: Value) -> Result<Value> {
    let arguments = arguments.as_object().context("arguments")?.clone();
    let answer = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
    anyhow::ensure!(answer.is_error != Some(true), "{tool}: {:?}", answer.content);
    answer.structured_content.context("an answer")
}

#[tokio::test]
async fn a_client_hands_in_a_task_watches_it_and_ends_another() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_worker("attic").may_leave_leases().build().await?;
    let (mut socket, _) = join(test.worker("attic"), &[]).await?;
    let client = connect(&test, &test.user("ann").token).await?;
    let tools: Vec<_> = client.list_all_tools().await?.into_iter().map(|tool| tool.name.to_string()).collect();
    assert!(tools.contains(&"submit_task".to_owned()) && tools.len() == 9, "{tools:?}");

    let task = call(&client, "submit_task", json!({ "prompt": "say hello", "tool": "demo" })).await?;
    assert_eq!((&task["number"], &task["ended"]), (&json!(1), &json!(false)), "{task}");
    let attempt = assigned(&mut socket).await?.attempt_ref();
    socket.send(&ToCoordinator::Report(accepted(attempt))).await?;
    let early = call(&client, "wait_for_task", json!({ "task": 1, "timeout_seconds": 0 })).await?;
    assert_eq!(early["ended"], false, "{early}");

    // It waits, and is told so, until the worker has an answer.
    let worker = async {
        socket.send(&ToCoordinator::Report(said(attempt, vec![line(1, "one"), line(2, "two")]))).await?;
        socket.send(&ToCoordinator::Report(done(attempt, "hello"))).await?;
        anyhow::Ok(())
    };
    let (ended, worked) = tokio::join!(call(&client, "wait_for_task", json!({ "task": "1" })), worker);
    worked?;
    let ended = ended?;
    assert_eq!((&ended["status"], &ended["ended"]), (&json!("completed"), &json!(true)), "{ended}");
    assert_eq!(ended["result"]["text"], "hello");
    let first = call(&client, "read_log", json!({ "task": 1, "limit": 1 })).await?;
    assert_eq!((&first["entries"][0]["text"], &first["complete"]), (&json!("one"), &json!(false)), "{first}");
    let rest = call(&client, "read_log", json!({ "task": 1, "after": first["next_after"] })).await?;
    assert_eq!((&rest["entries"][0]["text"], &rest["complete"]), (&json!("two"), &json!(true)), "{rest}");

    call(&client, "submit_task", json!({ "argv": ["sleep", "600"] })).await?;
    let cancelled = call(&client, "cancel_task", json!({ "task": 2 })).await?;
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
    let listed = call(&client, "list_tasks", json!({})).await?;
    assert_eq!(
        (&listed["tasks"][0]["number"], &listed["tasks"][1]["prompt"]),
        (&json!(2), &json!("say hello")),
        "{listed}"
    );
    let workers = call(&client, "list_workers", json!({})).await?;
    assert_eq!(
        (&workers["workers"][0]["name"], &workers["workers"][0]["status"]),
        (&json!("attic"), &json!("online")),
        "{workers}"
    );
    let known = call(&client, "list_tools", json!({})).await?;
    assert_eq!((&known["tools"][1]["name"], &known["tools"][1]["ready"]), (&json!("demo"), &json!(1)), "{known}");
    let usage = call(&client, "usage", json!({ "by": "tool" })).await?;
    assert_eq!(usage["total"]["completed_runs"], 1, "{usage}");
    client.cancel().await?;
    test.finish().await
}

#[tokio::test]
async fn a_wait_that_goes_on_is_told() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let client = connect(&test, &test.user("ann").token).await?;
    call(&client, "submit_task", json!({ "prompt": "nobody does it" })).await?;
    let waited = call(&client, "wait_for_task", json!({ "task": 1, "timeout_seconds": 11 })).await?;
    assert_eq!((&waited["status"], &waited["ended"]), (&json!("queued"), &json!(false)), "{waited}");
    assert_eq!(*client.service().0.lock().unwrap(), ["task 1 is queued"]);
    client.cancel().await?;
    test.finish().await
}

#[tokio::test]
async fn a_client_without_a_good_token_does_not_come_in() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    assert!(connect(&test, "gs_cli_made_up").await.is_err());
    test.finish().await
}
