//! What is refused whoever asks: too much, too deep, out of its place.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::{Method, header};
use serde_json::{Value, json};
use swarm_proto::ErrorCode;
use swarm_proto::keys::{CreateKey, KeyKind};
use swarm_testkit::TestCoordinator;

use crate::cast::Cast;

#[tokio::test]
async fn what_is_too_deep_or_too_large_is_said_so_and_harms_nothing() -> Result<()> {
    let coordinator = TestCoordinator::builder()
        .with_user("ann")
        .with_config(|config| config.limits.body_bytes = 64 * 1024)
        .build()
        .await?;
    let token = &coordinator.user("ann").token;
    let send = |body: String| {
        let request = coordinator.post("/api/v1/tasks").bearer(token);
        request.header(header::CONTENT_TYPE, "application/json").body(body).send()
    };
    let deep = format!("{{\"description\": {}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(send(deep).await.code(), ErrorCode::InvalidRequest);
    let large = json!({ "description": "x".repeat(100_000) }).to_string();
    assert_eq!(send(large).await.code(), ErrorCode::TooLarge);
    assert_eq!(send(json!({ "description": "x" }).to_string()).await.status, 201);
    coordinator.finish().await
}

/// A stranger does not make the coordinator read a body.
#[tokio::test]
async fn a_strangers_body_is_not_read() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let request = coordinator.post("/api/v1/tasks").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(request.body("{".repeat(1_000_000)).send().await.code(), ErrorCode::Unauthenticated);
    coordinator.finish().await
}

#[tokio::test]
async fn no_name_of_an_artifact_leaves_its_folder() -> Result<()> {
    let cast = Cast::assemble().await?;
    cast.attic_comes().await;
    let olga = Some(cast.token("olga"));
    let body = json!({ "description": "x", "tool": "demo" });
    cast.send(olga, "post", "/api/v1/tasks", Some(body)).await.ok();
    let number = cast.attic_pulls().await.context("the attic has no task")?;
    let task: Value = cast.send(olga, "get", &format!("/api/v1/tasks/{number}"), None).await.json();
    let task_id = task["task_id"].as_str().context("an id")?;
    let put = async |name: &str| {
        let path = format!("/api/v1/workers/{}/artifacts/{task_id}/1/{name}", cast.attic.worker_id);
        let request = cast.coordinator.request(Method::PUT, &path).bearer(&cast.attic.credential);
        request.body("content").send().await.status.as_u16()
    };
    assert_eq!(put("notes/a.txt").await, 201);
    for name in ["..%2f..%2fetc%2fpasswd", "a/%2e%2e/%2e%2e/b", "%2fetc/passwd", "a%5cb", "c:x", "a%00b", "%2e"] {
        assert_eq!(put(name).await, 400, "{name}");
    }
    cast.coordinator.finish().await
}

#[tokio::test]
async fn a_worker_that_talks_too_fast_over_http_is_told_when_to_come_back() -> Result<()> {
    let coordinator = TestCoordinator::builder()
        .with_user("ann")
        .with_worker("attic")
        .with_config(|config| config.limits.log_bytes_per_second = 1000)
        .build()
        .await?;
    let worker = coordinator.worker("attic");
    let attempt = json!({ "task_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1 });
    let report = |bytes: usize| {
        let line = json!({ "n": 1, "stream": "stdout", "text": "x".repeat(bytes), "at": "2026-01-01T00:00:00Z" });
        let mut batch = attempt.clone();
        batch["lines"] = json!([line]);
        serde_json::from_value(json!({ "logs": [batch] })).context("a report")
    };
    worker.report(&report(16_000)?).await?;
    let refused = worker.report(&report(900)?).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::TooManyRequests), "{refused}");
    coordinator.clock().advance(Duration::from_secs(1));
    worker.report(&report(900)?).await?;
    coordinator.finish().await
}

#[tokio::test]
async fn so_many_sockets_and_keys_of_one_person_and_no_more() -> Result<()> {
    let coordinator = TestCoordinator::builder()
        .with_user("ann")
        .with_user("bob")
        .with_config(|config| {
            config.limits.viewer_sockets = 2;
            config.limits.keys = 2;
        })
        .build()
        .await?;
    let (ann, bob) = (coordinator.user("ann"), coordinator.user("bob"));
    let one = ann.client.watch(ann.user_id).await?;
    let two = ann.client.watch(ann.user_id).await?;
    let refused = ann.client.watch(ann.user_id).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::TooManyRequests), "{refused}");
    drop(bob.client.watch(bob.user_id).await?);
    drop((one, two));

    let key = CreateKey { kind: KeyKind::Api, name: "x".to_owned(), scopes: None, uses: None, hours: None };
    let first = ann.client.create_key(&key).await?;
    ann.client.create_key(&key).await?;
    let refused = ann.client.create_key(&key).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::Conflict), "{refused}");
    ann.client.revoke_key(first.key.key_id).await?;
    ann.client.create_key(&key).await?;
    coordinator.finish().await
}

/// Its credential ended while its socket was on the way: it must not stay open.
#[tokio::test]
async fn the_socket_of_a_machine_ends_with_its_key() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_worker("attic").build().await?;
    let mut socket = coordinator.worker("attic").connect().await?;
    let key = coordinator.user("ann").client.keys().await?.remove(0);
    coordinator.user("ann").client.revoke_key(key.key_id).await?;
    let ended = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.context("the socket stays open")?;
    assert!(ended.is_err(), "{ended:?}");
    coordinator.finish().await
}
