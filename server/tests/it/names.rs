//! Requests by foreign names and from foreign pages.

use anyhow::Result;
use axum::http::{Method, header};
use swarm_proto::ErrorCode;
use swarm_testkit::TestCoordinator;

#[tokio::test]
async fn a_rebound_name_reaches_nothing() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let port = coordinator.address().port();
    let token = &coordinator.user("ann").token;
    for path in ["/", "/api/v1/auth/me", "/api/v1/openapi.json", "/metrics", "/api/v1/no-such-route"] {
        for host in
            [format!("evil.example:{port}"), "localhost".to_owned(), format!("localhost:{}", port.wrapping_add(1))]
        {
            let answer = coordinator.get(path).header(header::HOST, &host).bearer(token).send().await;
            assert_eq!(answer.code(), ErrorCode::ForeignOrigin, "{host} {path}");
        }
    }
    let answer = coordinator.get("/api/v1/auth/me").without(header::HOST).bearer(token).send().await;
    assert_eq!(answer.code(), ErrorCode::ForeignOrigin);
    coordinator.finish().await
}

#[tokio::test]
async fn a_foreign_page_reaches_nothing() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let token = &coordinator.user("ann").token;
    let with_origin = |origin: &str| coordinator.get("/api/v1/auth/me").bearer(token).header(header::ORIGIN, origin);
    with_origin(&coordinator.url()).send().await.ok();
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        assert_eq!(with_origin(origin).send().await.code(), ErrorCode::ForeignOrigin, "{origin}");
    }
    coordinator.finish().await
}

#[tokio::test]
async fn other_origins_are_told_nothing_unless_they_are_allowed() -> Result<()> {
    let tools = "https://tools.example";
    let builder = TestCoordinator::builder().with_user("ann");
    let coordinator =
        builder.with_config(|config| config.server.allowed_origins = vec![tools.to_owned()]).build().await?;
    let preflight = |origin: &str| {
        let request = coordinator.request(Method::OPTIONS, "/api/v1/tasks").header(header::ORIGIN, origin);
        request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST").send()
    };
    let allowed = preflight(tools).await;
    assert_eq!(allowed.header(&header::ACCESS_CONTROL_ALLOW_ORIGIN), tools);
    assert_eq!(allowed.header(&header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "", "cookies are never theirs");
    let refused = preflight("https://evil.example").await;
    assert_eq!(refused.header(&header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
    assert_eq!(refused.code(), ErrorCode::ForeignOrigin);
    coordinator.finish().await
}
