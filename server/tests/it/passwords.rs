//! Names and passwords.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use axum::http::header;
use swarm_proto::ErrorCode;
use swarm_proto::auth::{ChangePassword, Login, Session, SessionKind};
use swarm_testkit::{Answer, TestCoordinator};

const PASSWORD: &str = "correct horse battery";
const ME: &str = "/api/v1/auth/me";

/// A coordinator whose owner has a password.
async fn with_password() -> Result<TestCoordinator> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    change(&coordinator, &coordinator.user("ann").token, None, PASSWORD).await.ok();
    Ok(coordinator)
}

async fn change(coordinator: &TestCoordinator, token: &str, current: Option<&str>, new: &str) -> Answer {
    let body = ChangePassword { current_password: current.map(ToOwned::to_owned), new_password: new.to_owned() };
    coordinator.post("/api/v1/auth/change-password").bearer(token).json(&body).send().await
}

async fn login_from(coordinator: &TestCoordinator, from: [u8; 4], username: &str, password: &str) -> Answer {
    let body = Login { username: username.to_owned(), password: password.to_owned(), kind: SessionKind::Browser };
    coordinator.post("/api/v1/auth/login").from(SocketAddr::from((from, 1))).json(&body).send().await
}

async fn login(coordinator: &TestCoordinator, username: &str, password: &str) -> Answer {
    login_from(coordinator, [127, 0, 0, 1], username, password).await
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_does_not() -> Result<()> {
    let coordinator = with_password().await?;
    let answer = login(&coordinator, "Ann", PASSWORD).await;
    let session: Session = answer.json();
    assert_eq!((session.user.username.as_str(), session.user.has_password), ("ann", true));
    assert!(answer.header(&header::SET_COOKIE).contains("HttpOnly"));
    let wrong = login(&coordinator, "ann", "wrong horse battery").await.problem();
    let unknown = login(&coordinator, "nobody", PASSWORD).await.problem();
    assert_eq!(wrong.code, ErrorCode::WrongPassword);
    assert_eq!((wrong.code, wrong.detail), (unknown.code, unknown.detail), "names cannot be tried out");
    coordinator.finish().await
}

#[tokio::test]
async fn who_has_no_password_cannot_sign_in_with_one() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    assert_eq!(login(&coordinator, "ann", "").await.code(), ErrorCode::WrongPassword);
    coordinator.finish().await
}

#[tokio::test]
async fn a_stranger_uses_up_their_own_tries_only() -> Result<()> {
    let coordinator = with_password().await?;
    let stranger = [192, 0, 2, 7];
    for _ in 0..10 {
        assert_eq!(login_from(&coordinator, stranger, "ann", "guess").await.code(), ErrorCode::WrongPassword);
    }
    let limited = login_from(&coordinator, stranger, "ann", PASSWORD).await;
    assert_eq!(limited.code(), ErrorCode::TooManyRequests);
    let wait: u64 = limited.header(&header::RETRY_AFTER).parse()?;
    assert!((1..=15).contains(&wait), "{wait}");

    login(&coordinator, "ann", PASSWORD).await.ok();
    coordinator.clock().advance(Duration::from_secs(wait + 1));
    login_from(&coordinator, stranger, "ann", PASSWORD).await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() -> Result<()> {
    let coordinator = with_password().await?;
    let here: Session = login(&coordinator, "ann", PASSWORD).await.json();
    let there: Session = login(&coordinator, "ann", PASSWORD).await.json();
    change(&coordinator, &here.access_token, Some(PASSWORD), "another long password").await.ok();
    assert_eq!(coordinator.get(ME).bearer(&here.access_token).send().await.status, 200);
    for ended in [&there.access_token, &coordinator.user("ann").token] {
        assert_eq!(coordinator.get(ME).bearer(ended).send().await.code(), ErrorCode::Unauthenticated);
    }
    assert_eq!(login(&coordinator, "ann", PASSWORD).await.code(), ErrorCode::WrongPassword);
    login(&coordinator, "ann", "another long password").await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn a_password_changes_only_with_the_old_one() -> Result<()> {
    let coordinator = with_password().await?;
    let token = &coordinator.user("ann").token;
    assert_eq!(change(&coordinator, token, None, "another long password").await.code(), ErrorCode::InvalidRequest);
    let wrong = change(&coordinator, token, Some("wrong"), "another long password").await;
    assert_eq!(wrong.code(), ErrorCode::WrongPassword);
    assert_eq!(change(&coordinator, token, Some(PASSWORD), "short").await.code(), ErrorCode::InvalidRequest);
    login(&coordinator, "ann", PASSWORD).await.ok();
    coordinator.finish().await
}
