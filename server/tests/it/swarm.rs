//! The swarm at a glance, and stopping it.

use anyhow::Result;
use swarm_proto::ErrorCode;
use swarm_proto::status::SwarmStatus;
use swarm_testkit::TestCoordinator;

async fn status(coordinator: &TestCoordinator) -> SwarmStatus {
    coordinator.get("/api/v1/status").bearer(&coordinator.user("ann").token).send().await.json()
}

#[tokio::test]
async fn an_admin_stops_and_restarts_the_hand_out() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    let steer = |path: &'static str, who: &str| coordinator.post(path).bearer(&coordinator.user(who).token).send();
    assert!(!status(&coordinator).await.paused);
    assert_eq!(steer("/api/v1/swarm/pause", "bob").await.code(), ErrorCode::Forbidden);
    steer("/api/v1/swarm/pause", "ann").await.ok();
    assert!(status(&coordinator).await.paused);
    let kept = coordinator.state().stores.people.settings().await?;
    assert_eq!(kept["swarm_paused"], true, "a restart must find it");
    steer("/api/v1/swarm/resume", "ann").await.ok();
    assert!(!status(&coordinator).await.paused);
    coordinator.finish().await
}

#[tokio::test]
async fn status_counts_what_the_asker_may_see() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").with_worker("attic").build().await?;
    let seen = status(&coordinator).await;
    assert_eq!(seen.workers.get("offline"), Some(&1), "{seen:?}");
    assert_eq!(seen.free_slots, 0, "nobody is connected");
    let of_bob: SwarmStatus =
        coordinator.get("/api/v1/status").bearer(&coordinator.user("bob").token).send().await.json();
    assert!(of_bob.workers.is_empty(), "{of_bob:?}");
    coordinator.finish().await
}
