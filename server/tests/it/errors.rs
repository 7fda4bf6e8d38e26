//! What a request gets that cannot be done.

use anyhow::Result;
use axum::http::{Method, header};
use swarm_proto::ErrorCode;
use swarm_testkit::{Answer, TestCoordinator};

const LOGIN: &str = "/api/v1/auth/login";

/// Status, code and detail in a line.
fn told(answer: &Answer) -> String {
    let problem = answer.problem();
    format!("{} {}: {}", problem.status, problem.code, problem.detail)
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() -> Result<()> {
    let builder = TestCoordinator::builder().with_user("ann").with_config(|config| config.limits.body_bytes = 2048);
    let coordinator = builder.build().await?;
    let token = &coordinator.user("ann").token;
    let json =
        |text: &str| coordinator.post(LOGIN).header(header::CONTENT_TYPE, "application/json").body(text.to_owned());
    let answers = [
        json("{").send().await,
        json(r#"{"username": "ann"}"#).send().await,
        json(r#"{"username": "ann", "password": "x", "remember": true}"#).send().await,
        coordinator.post(LOGIN).body("username=ann").send().await,
        json(&format!(r#"{{"username": "{}"}}"#, "x".repeat(4096))).send().await,
        coordinator.get("/api/v1/workers/not-an-id").bearer(token).send().await,
        coordinator.get("/api/v1/tasks/1/logs?after=x").bearer(token).send().await,
        coordinator.get("/api/v1/tasks/999").bearer(token).send().await,
        coordinator.get("/api/v1/no-such-route").send().await,
        coordinator.request(Method::DELETE, LOGIN).send().await,
        coordinator.get("/api/v1/auth/me").send().await,
        coordinator.get("/api/v1/auth/me").header(header::AUTHORIZATION, "Basic YTpi").send().await,
    ];
    let lines: Vec<_> = answers.iter().map(told).collect();
    insta::assert_snapshot!(lines.join("\n"));
    coordinator.finish().await
}

#[tokio::test]
async fn a_method_that_a_resource_lacks_is_named_with_those_it_has() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let answer = coordinator.request(Method::DELETE, LOGIN).send().await;
    assert_eq!(answer.code(), ErrorCode::MethodNotAllowed);
    assert_eq!(answer.header(&header::ALLOW), "POST");
    coordinator.finish().await
}

/// The request's id is put into a body that was on its way, perhaps already packed.
#[tokio::test]
async fn an_asker_that_unpacks_can_read_an_error_too() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let answer = coordinator.get("/api/v1/auth/me").header(header::ACCEPT_ENCODING, "gzip").send().await;
    assert_eq!(answer.headers.get(header::CONTENT_ENCODING), None);
    assert_eq!(answer.problem().code, ErrorCode::Unauthenticated);
    let packed = coordinator.get("/api/v1/openapi.json").header(header::ACCEPT_ENCODING, "gzip").send().await;
    assert_eq!(packed.header(&header::CONTENT_ENCODING), "gzip", "answers are packed where that was asked");
    coordinator.finish().await
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    for path in ["/health", "/api/v1/auth/me", "/api/v1/openapi.json", "/nowhere"] {
        let answer = coordinator.get(path).send().await;
        let id = answer.headers.get("x-request-id").expect("every answer has an id").to_str()?;
        assert_eq!(id.len(), 16);
        assert_eq!(answer.header(&header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(&header::REFERRER_POLICY), "no-referrer", "{path}");
        assert!(answer.header(&header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"), "{path}");
        if answer.status.is_client_error() {
            assert_eq!(answer.problem().request_id.as_deref(), Some(id));
        }
    }
    coordinator.finish().await
}

#[tokio::test]
async fn every_code_is_explained_where_its_type_points() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    for code in ErrorCode::ALL {
        let path = swarm_proto::Problem::new(*code, "").type_uri;
        let answer = coordinator.get(&path).send().await;
        assert!(answer.status.is_success() && answer.text().contains(code.title()), "{path}");
    }
    assert_eq!(coordinator.get("/docs/errors/made_up").send().await.code(), ErrorCode::NotFound);
    coordinator.finish().await
}
