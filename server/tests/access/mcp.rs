//! `/mcp`: every tool, called by everybody, is allowed or denied exactly as the table of rights says of the operation
//! behind it; and what a call from somewhere else is told.

use anyhow::{Context as _, Result};
use axum::http::{Method, header};
use serde_json::{Value, json};
use swarm_model::rights::{Asker, InstanceRole, Operation, Relation, Scope, allows};
use swarm_proto::ErrorCode;
use swarm_testkit::{Answer, TestCoordinator};

use crate::cast::{Cast, key};

const BOTH: &str = "application/json, text/event-stream";

/// A message of the protocol, as this credential sends it.
async fn send(coordinator: &TestCoordinator, credential: Option<&str>, message: &Value) -> Answer {
    let mut request = coordinator.request(Method::POST, "/mcp").json(message).header(header::ACCEPT, BOTH);
    if let Some(credential) = credential {
        request = request.bearer(credential);
    }
    request.send().await
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

/// What a tool answers: its answer, or the sentence of its refusal.
async fn called(
    coordinator: &TestCoordinator,
    credential: &str,
    tool: &str,
    arguments: Value,
) -> Result<Result<Value, String>> {
    let answer: Value = send(coordinator, Some(credential), &call(tool, &arguments)).await.json();
    let result = answer.get("result").with_context(|| format!("{tool} gave {answer}"))?;
    if result["isError"] == true {
        return Ok(Err(result["content"][0]["text"].as_str().context("a sentence")?.to_owned()));
    }
    Ok(Ok(result["structuredContent"].clone()))
}

/// Each tool with arguments that are good, the operation behind it, and how its owner stands to the thing.
fn tools(cast: &Cast) -> Vec<(&'static str, Value, Operation, Relation)> {
    let task = json!({ "task": cast.task.number });
    vec![
        ("submit_task", json!({ "prompt": "x" }), Operation::SubmitTask, Relation::None),
        ("get_task", task.clone(), Operation::ReadTask, Relation::Own),
        (
            "wait_for_task",
            json!({ "task": cast.task.number, "timeout_seconds": 0 }),
            Operation::ReadTask,
            Relation::Own,
        ),
        ("read_log", task.clone(), Operation::ReadTask, Relation::Own),
        ("list_tasks", json!({}), Operation::ReadTask, Relation::Own),
        ("list_workers", json!({}), Operation::ReadWorker, Relation::SharedWorker),
        ("list_tools", json!({}), Operation::ReadWorker, Relation::SharedWorker),
        ("usage", json!({}), Operation::ReadOwnUsage, Relation::Own),
        ("cancel_task", task, Operation::EndTask, Relation::Own),
    ]
}

#[tokio::test]
async fn every_tool_is_as_free_as_the_operation_behind_it() -> Result<()> {
    let cast = Cast::assemble().await?;
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let list: Value = send(&cast.coordinator, Some(cast.token("tom")), &message).await.json();
    let mut named: Vec<_> =
        list["result"]["tools"].as_array().context("tools")?.iter().map(|tool| &tool["name"]).collect();
    let tools = tools(&cast);
    let mut asked: Vec<_> = tools.iter().map(|(name, ..)| json!(name)).collect();
    named.sort_by_key(ToString::to_string);
    asked.sort_by_key(ToString::to_string);
    assert_eq!(named, asked.iter().collect::<Vec<_>>(), "a tool without a line here");

    let mut keys = Vec::new();
    for scope in Scope::ALL {
        keys.push((key(&cast.coordinator, "tom", &[scope]).await?, vec![scope]));
    }
    keys.push((cast.wide.clone(), Scope::ALL.to_vec()));
    for (tool, arguments, operation, relation) in &tools {
        for (secret, scopes) in &keys {
            let asker = Asker::Program(InstanceRole::Member, scopes.iter().copied().collect());
            let due = allows(*operation, asker, *relation);
            let found = called(&cast.coordinator, secret, tool, arguments.clone()).await?;
            let is_refused = matches!(&found, Err(sentence) if sentence.contains("does not have the scope"));
            assert_eq!(is_refused, !due, "{tool} with {scopes:?}: {found:?}");
            if due {
                let is_done = matches!(&found, Err(sentence) if sentence.contains("has ended already"));
                assert!(found.is_ok() || is_done, "{tool} with {scopes:?}: {found:?}");
            }
        }
        // What is Tom's is not there for anybody else.
        let of_task = arguments.get("task").is_some();
        let mut others = vec!["eve", "vera", "otto", "olga"];
        // An admin may end a task without reading it.
        others.extend((*operation != Operation::EndTask).then_some("ada"));
        for other in others {
            let found = called(&cast.coordinator, cast.token(other), tool, arguments.clone()).await?;
            match &found {
                Err(sentence) => {
                    assert!(of_task && sentence.contains("There is no such task"), "{tool} by {other}: {sentence}");
                }
                Ok(answer) => assert!(!of_task && !answer.to_string().contains("safe is behind"), "{tool} by {other}"),
            }
        }
    }
    cast.coordinator.finish().await
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_of_a_person() -> Result<()> {
    let cast = Cast::assemble().await?;
    for message in [call("list_tasks", &json!({})), json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })] {
        for credential in [None, Some("gs_cli_made_up"), Some(cast.expired.as_str()), Some(cast.revoked.as_str())] {
            let answer = send(&cast.coordinator, credential, &message).await;
            assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{credential:?}");
        }
        for worker in [&cast.attic, &cast.cellar] {
            let answer = send(&cast.coordinator, Some(&worker.credential), &message).await;
            assert_eq!(answer.code(), ErrorCode::Forbidden);
        }
    }
    // There are no sessions to listen to or to end, and a stranger is not told so.
    for method in [Method::GET, Method::DELETE] {
        let stranger = cast.coordinator.request(method.clone(), "/mcp").header(header::ACCEPT, BOTH).send().await;
        assert_eq!(stranger.status, 401);
        let tom = cast.coordinator.request(method, "/mcp").bearer(cast.token("tom")).header(header::ACCEPT, BOTH);
        assert_eq!(tom.send().await.status, 405);
    }
    cast.coordinator.finish().await
}

/// The same rules for names and origins as everywhere.
#[tokio::test]
async fn a_foreign_page_gets_nothing() -> Result<()> {
    let cast = Cast::assemble().await?;
    let tom = cast.token("tom");
    let request = || {
        let message = call("list_tasks", &json!({}));
        cast.coordinator.request(Method::POST, "/mcp").json(&message).header(header::ACCEPT, BOTH).bearer(tom)
    };
    request().send().await.ok();
    for (name, value) in [(header::HOST, "evil.example"), (header::ORIGIN, "http://evil.example")] {
        let answer = request().header(name, value).send().await;
        assert!(answer.status.is_client_error(), "{}", answer.text());
    }
    let large = json!({ "jsonrpc": "2.0", "id": 1, "method": "x".repeat(20 << 20) });
    let answer = send(&cast.coordinator, Some(tom), &large).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    cast.coordinator.finish().await
}

#[tokio::test]
async fn what_makes_no_sense_is_told_to_the_model() -> Result<()> {
    let cast = Cast::assemble().await?;
    let tom = cast.token("tom");
    for (tool, arguments, said) in [
        ("submit_task", json!({}), "description is empty"),
        ("submit_task", json!({ "promt": "x" }), "unknown field `promt`"),
        ("submit_task", json!({ "prompt": "x", "tool": "command" }), "the tool command needs input"),
        ("get_task", json!({ "task": "seven" }), "neither the number nor the id"),
        ("get_task", json!({}), "missing field `task`"),
        ("list_tasks", json!({ "status": "sleeping" }), "no status is called"),
        ("usage", json!({ "by": "moon" }), "not told apart by"),
        ("usage", json!({ "from": "yesterday" }), "from: "),
    ] {
        let refused = called(&cast.coordinator, tom, tool, arguments.clone()).await?.expect_err(tool);
        assert!(refused.contains(said), "{tool} {arguments}: {refused}");
    }
    let unknown: Value = send(&cast.coordinator, Some(tom), &call("no_such_tool", &json!({}))).await.json();
    assert!(unknown["error"]["message"].as_str().context("an error")?.contains("no_such_tool"), "{unknown}");
    cast.coordinator.finish().await
}

/// The token was good when the wait began.
#[tokio::test]
async fn a_wait_ends_with_its_token() -> Result<()> {
    let cast = Cast::assemble().await?;
    let secret = key(&cast.coordinator, "tom", &Scope::ALL).await?;
    let arguments = json!({ "task": cast.task.number, "timeout_seconds": 600 });
    let message = call("wait_for_task", &arguments);
    let waits = send(&cast.coordinator, Some(&secret), &message);
    let tom = &cast.coordinator.user("tom").client;
    let revoked = async {
        for known in tom.keys().await?.into_iter().filter(|known| known.revoked_at.is_none()) {
            tom.revoke_key(known.key_id).await?;
        }
        anyhow::Ok(())
    };
    let (waited, revoked) = tokio::join!(waits, revoked);
    revoked?;
    // Where the end of the key came first, nobody was let in.
    assert!(waited.text().contains("Send a valid token"), "{}", waited.text());
    cast.coordinator.finish().await
}
