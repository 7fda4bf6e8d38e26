//! What those see who watch from outside.

use std::net::SocketAddr;

use anyhow::Result;
use axum::http::header;
use swarm_proto::ErrorCode;
use swarm_server::config::Redacted;
use swarm_testkit::TestCoordinator;

fn elsewhere() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 1))
}

#[tokio::test]
async fn probes_say_that_it_is_there_and_nothing_else() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    for (path, said) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = coordinator.get(path).header(header::HOST, "10.1.2.3:9999").from(elsewhere()).send().await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, said));
    }
    coordinator.state().shutdown.cancel();
    assert_eq!(coordinator.get("/ready").send().await.code(), ErrorCode::Unavailable);
    assert_eq!(coordinator.get("/health").send().await.status, 200);
    coordinator.finish().await
}

#[tokio::test]
async fn metrics_are_open_on_this_machine_and_closed_beyond() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    coordinator.get("/health").send().await.ok();
    let here = coordinator.get("/metrics").send().await;
    assert!(here.text().contains("garageswarm_http_requests_total"), "{}", here.text());
    let from_elsewhere = || coordinator.get("/metrics").from(elsewhere());
    assert_eq!(from_elsewhere().send().await.code(), ErrorCode::Unauthenticated);
    assert_eq!(from_elsewhere().bearer(&coordinator.user("bob").token).send().await.code(), ErrorCode::Forbidden);
    from_elsewhere().bearer(&coordinator.user("ann").token).send().await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn where_a_metrics_token_is_set_it_is_needed_here_too() -> Result<()> {
    let token = "a-token-of-the-metrics";
    let builder = TestCoordinator::builder();
    let coordinator =
        builder.with_config(|config| config.metrics.token = Some(Redacted::new(token.to_owned()))).build().await?;
    assert_eq!(coordinator.get("/metrics").send().await.code(), ErrorCode::Unauthenticated);
    assert_eq!(
        coordinator.get("/metrics").bearer("a-token-of-the-metricz").send().await.code(),
        ErrorCode::Unauthenticated
    );
    coordinator.get("/metrics").from(elsewhere()).bearer(token).send().await.ok();
    coordinator.finish().await
}
