//! Signing in by link, and how a browser's session goes on and ends.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::header;
use swarm_proto::ErrorCode;
use swarm_proto::auth::{ExchangeLink, OpenSession, Session, SessionKind, Ticket, User};
use swarm_testkit::{Answer, TestCoordinator};

const LINK: &str = "/api/v1/auth/link";
const ME: &str = "/api/v1/auth/me";
const REFRESH: &str = "/api/v1/auth/refresh";

async fn link(coordinator: &TestCoordinator) -> Result<String> {
    let link = coordinator.state().create_sign_in_link(coordinator.user("ann").user_id).await?;
    let (_, token) = link.split_once("/signin#").context("the token stands behind #")?;
    Ok(token.to_owned())
}

async fn exchange(coordinator: &TestCoordinator, token: &str, kind: SessionKind) -> Answer {
    coordinator.post(LINK).json(&ExchangeLink { token: token.to_owned(), kind }).send().await
}

/// A browser that is signed in: its session and its cookie.
async fn browser(coordinator: &TestCoordinator) -> Result<(Session, String)> {
    let answer = exchange(coordinator, &link(coordinator).await?, SessionKind::Browser).await;
    Ok((answer.json(), cookie(&answer)))
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    answer.header(&header::SET_COOKIE).split(';').next().unwrap_or_default().to_owned()
}

async fn refresh(coordinator: &TestCoordinator, cookie: &str) -> Answer {
    coordinator.post(REFRESH).header(header::COOKIE, cookie).send().await
}

async fn is_in(coordinator: &TestCoordinator, token: &str) -> bool {
    coordinator.get(ME).bearer(token).send().await.status == 200
}

async fn with_ann() -> Result<TestCoordinator> {
    TestCoordinator::builder().with_user("ann").build().await
}

#[tokio::test]
async fn a_link_signs_in_once() -> Result<()> {
    let coordinator = with_ann().await?;
    let token = link(&coordinator).await?;
    let session: Session = exchange(&coordinator, &token, SessionKind::Browser).await.json();
    assert_eq!(session.user.username, "ann");
    let me: User = coordinator.get(ME).bearer(&session.access_token).send().await.json();
    assert_eq!(me.user_id, coordinator.user("ann").user_id);
    assert_eq!(exchange(&coordinator, &token, SessionKind::Browser).await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn a_link_lives_ten_minutes() -> Result<()> {
    let coordinator = with_ann().await?;
    let (early, late) = (link(&coordinator).await?, link(&coordinator).await?);
    coordinator.clock().advance(Duration::from_secs(599));
    exchange(&coordinator, &early, SessionKind::Browser).await.ok();
    coordinator.clock().advance(Duration::from_secs(2));
    assert_eq!(exchange(&coordinator, &late, SessionKind::Browser).await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn a_link_is_no_token_and_neither_is_a_cookie() -> Result<()> {
    let coordinator = with_ann().await?;
    let token = link(&coordinator).await?;
    assert!(!is_in(&coordinator, &token).await);
    let (_, cookie) = browser(&coordinator).await?;
    assert!(!is_in(&coordinator, cookie.split_once('=').unwrap().1).await);
    coordinator.finish().await
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> Result<()> {
    let coordinator = with_ann().await?;
    let answer = exchange(&coordinator, &link(&coordinator).await?, SessionKind::Browser).await;
    let set = answer.header(&header::SET_COOKIE).to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/v1/auth", "Max-Age=2592000"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    assert!(!set.contains("Secure"), "loopback has no TLS: {set}");
    assert!(!answer.text().contains(cookie(&answer).split_once('=').unwrap().1), "it must not be in the body too");
    coordinator.finish().await
}

#[tokio::test]
async fn beyond_loopback_the_cookie_wants_tls() -> Result<()> {
    let builder = TestCoordinator::builder().with_user("ann");
    let coordinator = builder
        .with_config(|config| config.server.public_url = Some("https://swarm.example.org".to_owned()))
        .build()
        .await?;
    let body = ExchangeLink { token: link(&coordinator).await?, kind: SessionKind::Browser };
    let answer = coordinator.post(LINK).header(header::HOST, "swarm.example.org").json(&body).send().await;
    assert!(answer.header(&header::SET_COOKIE).contains("Secure"), "{:?}", answer.headers);
    coordinator.finish().await
}

#[tokio::test]
async fn an_access_token_lives_fifteen_minutes_and_is_renewed() -> Result<()> {
    let coordinator = with_ann().await?;
    let (session, first) = browser(&coordinator).await?;
    coordinator.clock().advance(Duration::from_secs(14 * 60));
    assert!(is_in(&coordinator, &session.access_token).await);
    coordinator.clock().advance(Duration::from_secs(61));
    assert!(!is_in(&coordinator, &session.access_token).await);

    let answer = refresh(&coordinator, &first).await;
    let renewed: Session = answer.json();
    assert!(is_in(&coordinator, &renewed.access_token).await);
    assert_ne!(cookie(&answer), first, "the cookie is replaced");
    coordinator.finish().await
}

#[tokio::test]
async fn two_tabs_do_not_sign_each_other_out() -> Result<()> {
    let coordinator = with_ann().await?;
    let (_, first) = browser(&coordinator).await?;
    let (one, other) = tokio::join!(refresh(&coordinator, &first), refresh(&coordinator, &first));
    assert_eq!(cookie(&one), cookie(&other), "the same cookie has the same successor");
    for tab in [&one, &other] {
        assert!(is_in(&coordinator, &tab.json::<Session>().access_token).await);
    }
    coordinator.clock().advance(Duration::from_secs(20 * 60));
    refresh(&coordinator, &cookie(&one)).await.ok();
    coordinator.finish().await
}

/// One tab renews twice in a row while the other still shows the first cookie.
#[tokio::test]
async fn a_slow_tab_is_led_to_the_cookie_that_counts() -> Result<()> {
    let coordinator = with_ann().await?;
    let (_, first) = browser(&coordinator).await?;
    let second = cookie(&refresh(&coordinator, &first).await);
    let third = cookie(&refresh(&coordinator, &second).await);
    let slow = refresh(&coordinator, &first).await;
    assert_eq!(cookie(&slow), third);
    coordinator.clock().advance(Duration::from_secs(20 * 60));
    refresh(&coordinator, &cookie(&slow)).await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn a_spent_cookie_that_turns_up_later_ends_its_session() -> Result<()> {
    let coordinator = with_ann().await?;
    let (_, first) = browser(&coordinator).await?;
    let answer = refresh(&coordinator, &first).await;
    let (renewed, second) = (answer.json::<Session>(), cookie(&answer));
    coordinator.clock().advance(Duration::from_secs(31));

    let reused = refresh(&coordinator, &first).await;
    assert_eq!(reused.code(), ErrorCode::SpentCredential);
    assert!(reused.header(&header::SET_COOKIE).contains("Max-Age=0"), "{:?}", reused.headers);
    assert!(!is_in(&coordinator, &renewed.access_token).await, "its access token ends at once");
    assert_eq!(refresh(&coordinator, &second).await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn who_never_signed_in_has_nothing_to_renew() -> Result<()> {
    let coordinator = with_ann().await?;
    assert_eq!(coordinator.post(REFRESH).send().await.code(), ErrorCode::Unauthenticated);
    let (_, cookie) = browser(&coordinator).await?;
    let made_up = format!("{}=gs_refresh_made_up", cookie.split_once('=').unwrap().0);
    assert_eq!(refresh(&coordinator, &made_up).await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn signing_out_ends_the_session_and_nothing_else() -> Result<()> {
    let coordinator = with_ann().await?;
    let (session, cookie) = browser(&coordinator).await?;
    let (other, _) = browser(&coordinator).await?;
    coordinator.post("/api/v1/auth/logout").bearer(&session.access_token).send().await.ok();
    assert!(!is_in(&coordinator, &session.access_token).await);
    assert_eq!(refresh(&coordinator, &cookie).await.code(), ErrorCode::SpentCredential);
    assert!(is_in(&coordinator, &other.access_token).await);
    coordinator.finish().await
}

#[tokio::test]
async fn a_browser_whose_token_has_run_out_can_sign_out() -> Result<()> {
    let coordinator = with_ann().await?;
    let (session, cookie) = browser(&coordinator).await?;
    coordinator.clock().advance(Duration::from_secs(16 * 60));
    let request = coordinator.post("/api/v1/auth/logout").bearer(&session.access_token);
    request.header(header::COOKIE, &cookie).send().await.ok();
    assert_eq!(refresh(&coordinator, &cookie).await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn a_command_line_gets_one_token_that_lasts() -> Result<()> {
    let coordinator = with_ann().await?;
    let answer = exchange(&coordinator, &link(&coordinator).await?, SessionKind::Cli).await;
    assert_eq!(answer.header(&header::SET_COOKIE), "");
    let session: Session = answer.json();
    coordinator.clock().advance(Duration::from_secs(89 * 24 * 60 * 60));
    assert!(is_in(&coordinator, &session.access_token).await);
    coordinator.clock().advance(Duration::from_secs(2 * 24 * 60 * 60));
    assert!(!is_in(&coordinator, &session.access_token).await);
    coordinator.finish().await
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() -> Result<()> {
    let coordinator = with_ann().await?;
    let (here, _) = browser(&coordinator).await?;
    let (there, _) = browser(&coordinator).await?;
    let path = "/api/v1/auth/sessions";
    let open: Vec<OpenSession> = coordinator.get(path).bearer(&here.access_token).send().await.json();
    assert_eq!(open.len(), 3, "two browsers and the command line");
    assert_eq!(open.iter().filter(|session| session.is_current).count(), 1);

    let other = open.iter().find(|session| session.kind == SessionKind::Browser && !session.is_current).unwrap();
    let end = format!("{path}/{}", other.session_id);
    coordinator.request(axum::http::Method::DELETE, &end).bearer(&here.access_token).send().await.ok();
    assert!(!is_in(&coordinator, &there.access_token).await);
    assert!(is_in(&coordinator, &here.access_token).await);
    coordinator.finish().await
}

#[tokio::test]
async fn nobody_ends_another_persons_session() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    let (session, _) = browser(&coordinator).await?;
    let path = "/api/v1/auth/sessions";
    let open: Vec<OpenSession> = coordinator.get(path).bearer(&session.access_token).send().await.json();
    let end = format!("{path}/{}", open[0].session_id);
    let answer =
        coordinator.request(axum::http::Method::DELETE, &end).bearer(&coordinator.user("bob").token).send().await;
    assert_eq!(answer.code(), ErrorCode::NotFound);
    coordinator.finish().await
}

#[tokio::test]
async fn a_ticket_is_no_token() -> Result<()> {
    let coordinator = with_ann().await?;
    let ticket: Ticket =
        coordinator.post("/api/v1/auth/ticket").bearer(&coordinator.user("ann").token).send().await.json();
    assert!(!is_in(&coordinator, &ticket.ticket).await);
    let in_address = format!("{ME}?ticket={}", ticket.ticket);
    let as_socket = coordinator.get(&in_address).header(header::UPGRADE, "websocket");
    for request in [coordinator.get(&in_address), as_socket] {
        assert_eq!(request.send().await.code(), ErrorCode::Unauthenticated);
    }
    coordinator.finish().await
}
