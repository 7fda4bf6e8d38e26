//! Keys: made, used, revoked.

use std::time::Duration;

use anyhow::Result;
use axum::http::Method;
use swarm_proto::ErrorCode;
use swarm_proto::keys::{CreateKey, CreatedKey, Key, KeyKind};
use swarm_proto::workers::{RegisterWorker, RegisteredWorker};
use swarm_testkit::coordinator::capabilities;
use swarm_testkit::{Answer, TestCoordinator};

const KEYS: &str = "/api/v1/keys";
const ME: &str = "/api/v1/auth/me";

async fn make(coordinator: &TestCoordinator, token: &str, kind: KeyKind, uses: Option<u32>) -> Answer {
    let body = CreateKey { kind, name: "attic".to_owned(), uses, hours: None, scopes: None };
    coordinator.post(KEYS).bearer(token).json(&body).send().await
}

async fn enrol(coordinator: &TestCoordinator, key: &str, machine: &str) -> Answer {
    let body = RegisterWorker {
        machine_id: machine.to_owned(),
        machine_name: machine.to_owned(),
        capabilities: capabilities(1, &["demo"]),
    };
    coordinator.post("/api/v1/workers/register").bearer(key).json(&body).send().await
}

async fn revoke(coordinator: &TestCoordinator, token: &str, key: &CreatedKey) -> Answer {
    coordinator.request(Method::DELETE, &format!("{KEYS}/{}", key.key.key_id)).bearer(token).send().await
}

async fn with_people() -> Result<TestCoordinator> {
    TestCoordinator::builder().with_user("ann").with_user("bob").build().await
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() -> Result<()> {
    let coordinator = with_people().await?;
    let token = &coordinator.user("bob").token;
    let key: CreatedKey = make(&coordinator, token, KeyKind::Api, None).await.json();
    coordinator.get(ME).bearer(&key.secret).send().await.ok();
    revoke(&coordinator, token, &key).await.ok();
    assert_eq!(coordinator.get(ME).bearer(&key.secret).send().await.code(), ErrorCode::Unauthenticated);
    let listed: Vec<Key> = coordinator.get(KEYS).bearer(token).send().await.json();
    assert!(listed[0].revoked_at.is_some(), "it stays in the list");
    coordinator.finish().await
}

#[tokio::test]
async fn a_secret_is_shown_once() -> Result<()> {
    let coordinator = with_people().await?;
    let token = &coordinator.user("bob").token;
    let key: CreatedKey = make(&coordinator, token, KeyKind::Api, None).await.json();
    let listed = coordinator.get(KEYS).bearer(token).send().await;
    listed.ok();
    assert!(!listed.text().contains(&key.secret));
    coordinator.finish().await
}

#[tokio::test]
async fn a_key_ends_in_time() -> Result<()> {
    let coordinator = with_people().await?;
    let token = &coordinator.user("bob").token;
    let body = CreateKey { kind: KeyKind::Api, name: "short".to_owned(), uses: None, hours: Some(1), scopes: None };
    let key: CreatedKey = coordinator.post(KEYS).bearer(token).json(&body).send().await.json();
    coordinator.get(ME).bearer(&key.secret).send().await.ok();
    coordinator.clock().advance(Duration::from_secs(60 * 60));
    assert_eq!(coordinator.get(ME).bearer(&key.secret).send().await.code(), ErrorCode::Unauthenticated);
    coordinator.finish().await
}

#[tokio::test]
async fn a_key_makes_no_keys() -> Result<()> {
    let coordinator = with_people().await?;
    let key: CreatedKey = make(&coordinator, &coordinator.user("bob").token, KeyKind::Api, None).await.json();
    assert_eq!(make(&coordinator, &key.secret, KeyKind::Api, None).await.code(), ErrorCode::Forbidden);
    assert_eq!(revoke(&coordinator, &key.secret, &key).await.code(), ErrorCode::Forbidden);
    coordinator.finish().await
}

#[tokio::test]
async fn another_persons_key_does_not_exist() -> Result<()> {
    let coordinator = with_people().await?;
    let key: CreatedKey = make(&coordinator, &coordinator.user("bob").token, KeyKind::Api, None).await.json();
    assert_eq!(revoke(&coordinator, &coordinator.user("ann").token, &key).await.code(), ErrorCode::NotFound);
    coordinator.get(ME).bearer(&key.secret).send().await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn a_worker_key_enrols_as_often_as_it_says_and_opens_nothing_else() -> Result<()> {
    let coordinator = with_people().await?;
    let key: CreatedKey = make(&coordinator, &coordinator.user("bob").token, KeyKind::Worker, Some(2)).await.json();
    assert_eq!(coordinator.get(ME).bearer(&key.secret).send().await.code(), ErrorCode::Unauthenticated);
    enrol(&coordinator, &key.secret, "one").await.ok();
    enrol(&coordinator, &key.secret, "two").await.ok();
    assert!(enrol(&coordinator, &key.secret, "three").await.status.is_client_error());
    coordinator.finish().await
}

#[tokio::test]
async fn revoking_a_worker_key_ends_what_it_enrolled() -> Result<()> {
    let coordinator = with_people().await?;
    let token = &coordinator.user("bob").token;
    let key: CreatedKey = make(&coordinator, token, KeyKind::Worker, None).await.json();
    let worker: RegisteredWorker = enrol(&coordinator, &key.secret, "one").await.json();
    let path = format!("/api/v1/workers/{}/pull-task?wait_ms=0", worker.worker_id);
    // Whether it may pull before it has said that it lives is not the question here: it is known.
    assert_ne!(coordinator.get(&path).bearer(&worker.credential).send().await.status, 401);
    revoke(&coordinator, token, &key).await.ok();
    assert_eq!(coordinator.get(&path).bearer(&worker.credential).send().await.code(), ErrorCode::Unauthenticated);
    coordinator.finish().await
}
