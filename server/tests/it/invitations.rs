//! Inviting a machine: the link, and what its code is good for.

use std::time::Duration;

use anyhow::Result;
use swarm_client::{ClientError, Coordinator};
use swarm_proto::workers::{InviteWorker, RegisterWorker, WorkerInvitation};
use swarm_proto::{ErrorCode, JoinLink};
use swarm_testkit::TestCoordinator;
use swarm_testkit::coordinator::capabilities;

async fn with_tls() -> Result<TestCoordinator> {
    TestCoordinator::builder().with_user("ann").with_user("bob").with_tls().build().await
}

async fn invite(test: &TestCoordinator, name: &str) -> Result<WorkerInvitation> {
    Ok(test.user(name).client.invite_worker(&InviteWorker::default()).await?)
}

/// Joins as `worker run --join` does.
async fn join(link: &JoinLink, machine: &str) -> Result<(), ClientError> {
    let address = link.addresses()[0].parse()?;
    let worker = RegisterWorker {
        machine_id: machine.to_owned(),
        machine_name: machine.to_owned(),
        capabilities: capabilities(1, &["demo"]),
    };
    Coordinator::trusted(address, link.fingerprint())?.enrol(link.code(), &worker).await.map(drop)
}

#[tokio::test]
async fn a_link_joins_one_machine_as_its_makers() -> Result<()> {
    let test = with_tls().await?;
    let invitation = invite(&test, "bob").await?;
    let link: JoinLink = invitation.link.parse()?;
    assert_eq!(link.addresses(), [format!("https://{}", test.tls_address()?)]);
    assert_eq!((link.fingerprint(), link.code()), (test.state().fingerprint(), invitation.code.as_str()));
    assert_eq!(invitation.words, link.fingerprint().map(|fingerprint| fingerprint.words()));
    join(&link, "attic").await?;
    let workers = test.user("bob").client.workers().await?.items;
    assert_eq!(workers[0].owner_id, test.user("bob").user_id);

    let twice = join(&link, "cellar").await.unwrap_err();
    assert!(twice.is_unauthenticated(), "{twice}");
    test.finish().await
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() -> Result<()> {
    let test = with_tls().await?;
    let invitation = invite(&test, "ann").await?;
    let link: JoinLink = invitation.link.parse()?;
    test.clock().set(invitation.expires_at);
    let late = join(&link, "attic").await.unwrap_err();
    assert!(late.is_unauthenticated(), "{late}");
    test.clock().set(invitation.expires_at.minus(Duration::from_secs(1)));
    join(&link, "attic").await?;
    test.finish().await
}

#[tokio::test]
async fn a_code_of_another_coordinator_is_refused() -> Result<()> {
    let (one, other) = (with_tls().await?, with_tls().await?);
    let (here, there) = (invite(&one, "ann").await?, invite(&other, "ann").await?);
    let link = JoinLink::new(here.addresses.clone(), here.fingerprint, there.code)?;
    let error = join(&link, "attic").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Unauthenticated), "{error}");
    // A link whose address was bent to another one is not followed at all.
    let bent = JoinLink::new(there.addresses, here.fingerprint, here.code)?;
    let error = join(&bent, "attic").await.unwrap_err();
    assert!(matches!(error, ClientError::OtherCertificate { .. }), "{error}");
    one.finish().await?;
    other.finish().await
}

#[tokio::test]
async fn who_listens_on_this_machine_alone_says_how_to_be_reached() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").build().await?;
    let error = test.user("ann").client.invite_worker(&InviteWorker::default()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Conflict));
    assert!(error.to_string().contains("--lan"), "{error}");
    test.finish().await
}

#[tokio::test]
async fn a_machine_does_not_invite_another() -> Result<()> {
    let test = TestCoordinator::builder().with_user("ann").with_tls().build().await?;
    let invitation = invite(&test, "ann").await?;
    let wish = InviteWorker::default();
    let by_code = test.remote()?.signed_in(invitation.code).invite_worker(&wish).await.unwrap_err();
    assert!(by_code.is_unauthenticated(), "{by_code}");
    let long = InviteWorker { name: Some("x".repeat(65)) };
    let error = test.user("ann").client.invite_worker(&long).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::InvalidRequest));
    test.finish().await
}
