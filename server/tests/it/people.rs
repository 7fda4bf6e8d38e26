//! Who joins, and what happens to those who are sent away.

use std::time::Duration;

use anyhow::Result;
use swarm_model::rights::InstanceRole;
use swarm_proto::ErrorCode;
use swarm_proto::auth::{CreateInvitation, Invitation, Register, User};
use swarm_proto::keys::{CreateKey, CreatedKey, KeyKind};
use swarm_store::people::UserChange;
use swarm_testkit::{Answer, TestCoordinator};

const PASSWORD: &str = "correct horse battery";
const ME: &str = "/api/v1/auth/me";

async fn register(coordinator: &TestCoordinator, invitation: &str, username: &str) -> Answer {
    let body = Register {
        invitation: invitation.to_owned(),
        username: username.to_owned(),
        email: None,
        password: PASSWORD.to_owned(),
    };
    coordinator.post("/api/v1/auth/register").json(&body).send().await
}

async fn invite(coordinator: &TestCoordinator, by: &str, hours: Option<u32>) -> Answer {
    let request = coordinator.post("/api/v1/auth/invitations").bearer(&coordinator.user(by).token);
    request.json(&CreateInvitation { hours, role: None }).send().await
}

#[tokio::test]
async fn an_invitation_lets_one_member_in() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let invitation = invite(&coordinator, "ann", None).await.json::<Invitation>().invitation;
    let bob: User = register(&coordinator, &invitation, "bob").await.json();
    assert_eq!((bob.username.as_str(), bob.role), ("bob", InstanceRole::Member));
    assert_eq!(register(&coordinator, &invitation, "carl").await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn a_taken_name_does_not_use_the_invitation_up() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let invitation = invite(&coordinator, "ann", None).await.json::<Invitation>().invitation;
    assert_eq!(register(&coordinator, &invitation, "ANN").await.code(), ErrorCode::NameTaken);
    register(&coordinator, &invitation, "bob").await.ok();
    coordinator.finish().await
}

#[tokio::test]
async fn an_invitation_ends_in_time() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let invitation = invite(&coordinator, "ann", Some(1)).await.json::<Invitation>().invitation;
    coordinator.clock().advance(Duration::from_secs(60 * 60 + 1));
    assert_eq!(register(&coordinator, &invitation, "bob").await.code(), ErrorCode::SpentCredential);
    coordinator.finish().await
}

#[tokio::test]
async fn members_do_not_invite() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    assert_eq!(invite(&coordinator, "bob", None).await.code(), ErrorCode::Forbidden);
    coordinator.finish().await
}

#[tokio::test]
async fn without_an_invitation_nobody_joins_unless_that_is_switched_on() -> Result<()> {
    let closed = TestCoordinator::builder().with_user("ann").build().await?;
    assert_eq!(register(&closed, "", "bob").await.code(), ErrorCode::SpentCredential);
    closed.finish().await?;
    let builder = TestCoordinator::builder().with_user("ann");
    let open = builder.with_config(|config| config.accounts.registration_open = true).build().await?;
    assert_eq!(register(&open, "", "bob").await.json::<User>().role, InstanceRole::Member);
    open.finish().await
}

#[tokio::test]
async fn the_set_up_token_makes_the_first_admin_once() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let token = coordinator.state().draw_setup_token().await?.expect("nobody owns the instance");
    assert_eq!(register(&coordinator, "gs_setup_guess", "eve").await.code(), ErrorCode::SpentCredential);
    let ann: User = register(&coordinator, &token, "ann").await.json();
    assert_eq!(ann.role, InstanceRole::Admin);
    assert_eq!(register(&coordinator, &token, "eve").await.code(), ErrorCode::SpentCredential);
    assert_eq!(coordinator.state().draw_setup_token().await?, None);
    coordinator.finish().await
}

#[tokio::test]
async fn two_first_people_cannot_both_own_the_instance() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let token = coordinator.state().draw_setup_token().await?.expect("nobody owns the instance");
    let (one, other) = tokio::join!(register(&coordinator, &token, "ann"), register(&coordinator, &token, "eve"));
    let made = [&one, &other].iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(made, 1, "{} {}", one.text(), other.text());
    coordinator.finish().await
}

/// Everything that a person came in with ends in the commit that deactivates them.
#[tokio::test]
async fn a_deactivated_person_is_out_at_once() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").with_user("bob").build().await?;
    let bob = coordinator.user("bob").clone();
    let key = CreateKey { kind: KeyKind::Api, name: "script".to_owned(), uses: None, hours: None, scopes: None };
    let key: CreatedKey = coordinator.post("/api/v1/keys").bearer(&bob.token).json(&key).send().await.json();
    for token in [&bob.token, &key.secret] {
        coordinator.get(ME).bearer(token).send().await.ok();
    }

    let change = UserChange { is_active: Some(false), ..UserChange::default() };
    let stores = &coordinator.state().stores;
    let revoked = stores.people.update_user(bob.user_id, &change, &coordinator.audit("user_deactivated")).await?;
    coordinator.state().end_credentials(&revoked).await;
    for token in [&bob.token, &key.secret] {
        assert_eq!(coordinator.get(ME).bearer(token).send().await.code(), ErrorCode::Unauthenticated);
    }
    coordinator.get(ME).bearer(&coordinator.user("ann").token).send().await.ok();
    coordinator.finish().await
}

/// A friend sits at another machine: loopback would lead them to themselves.
#[tokio::test]
async fn links_for_others_lead_to_where_they_reach_us() -> Result<()> {
    let named = TestCoordinator::builder()
        .with_user("ann")
        .with_config(|config| config.server.public_url = Some("https://swarm.example.org".to_owned()))
        .build()
        .await?;
    let link = invite(&named, "ann", None).await.json::<Invitation>().link;
    assert!(link.starts_with("https://swarm.example.org/register#gs_invite_"), "{link}");
    named.finish().await?;

    let over_tls = TestCoordinator::builder().with_user("ann").with_tls().build().await?;
    let link = invite(&over_tls, "ann", None).await.json::<Invitation>().link;
    let reached = over_tls.tls_address()?;
    assert!(link.starts_with(&format!("https://{reached}/register#")), "{link} is not at {reached}");
    over_tls.finish().await
}
