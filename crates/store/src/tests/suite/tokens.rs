use std::time::Duration;

use swarm_model::Timestamp;

use super::HasStores;
use super::people::{conflict, key, key_id, later, newest, token, token_id, two_people};
use super::workers::registration;
use crate::error::{Conflict, StoreError};
use crate::tests::story::{START, entry, user, worker};
use crate::token::{Credential, CredentialId, KeyKind, LinkedSession, Rotate, Rotation, TokenHash, TokenKind};

fn rotate(presented: &str, successor: &str, now: Timestamp) -> Rotate {
    Rotate {
        presented: TokenHash::of(presented),
        successor: TokenHash::of(successor),
        now,
        grace: Duration::from_secs(30),
        expires_at: later(100_000),
    }
}

fn successor(rotation: Rotation) -> TokenHash {
    match rotation {
        Rotation::Granted { successor, .. } => successor,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_credential_is_found_by_its_hash_while_it_counts(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    let made = token(1, TokenKind::Cli, user(1));
    tokens.create_token(&made, &entry("signed_in")).await.unwrap();
    let Some(Credential::Token(found)) = tokens.credential(&made.hash, START).await.unwrap() else {
        panic!("no token")
    };
    assert_eq!((found.token_id, found.kind, found.user_id), (made.token_id, made.kind, made.user_id));
    assert_eq!((&found.name, &found.scopes, found.expires_at), (&made.name, &made.scopes, made.expires_at));
    assert_eq!(found.created_at, START);
    assert_eq!(tokens.credential(&made.hash, later(1000)).await.unwrap(), None, "expired");
    assert_eq!(tokens.credential(&TokenHash::of("nobody's"), START).await.unwrap(), None);

    let mut api = key(1, KeyKind::Api, user(1));
    api.expires_at = Some(later(10));
    tokens.create_key(&api, &entry("key_created")).await.unwrap();
    let Some(Credential::Key(found)) = tokens.credential(&api.hash, START).await.unwrap() else { panic!("no key") };
    assert_eq!(
        (found.key_id, found.kind, found.uses_left, found.created_by),
        (api.key_id, KeyKind::Api, None, user(1))
    );
    assert_eq!(tokens.credential(&api.hash, later(10)).await.unwrap(), None, "expired");

    let ended = tokens.revoke_token(made.token_id, &entry("signed_out")).await.unwrap();
    assert_eq!(ended.tokens.len(), 1);
    assert_eq!(tokens.credential(&made.hash, START).await.unwrap(), None);
    assert_eq!(tokens.revoke_token(made.token_id, &entry("signed_out")).await.unwrap().tokens, [], "once is enough");
}

pub(crate) async fn a_spent_refresh_token_gives_the_same_successor_within_grace(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    tokens.create_token(&token(1, TokenKind::Session, user(1)), &entry("signed_in")).await.unwrap();
    // Two tabs at once.
    let (one, two) = (rotate("token 1", "second", later(1)), rotate("token 1", "second", later(1)));
    let reuse = entry("reuse");
    let (one, two) = tokio::join!(tokens.rotate(&one, &reuse), tokens.rotate(&two, &reuse));
    assert_eq!(successor(one.unwrap()), TokenHash::of("second"));
    assert_eq!(successor(two.unwrap()), TokenHash::of("second"));
    assert_eq!(tokens.credential(&TokenHash::of("token 1"), later(2)).await.unwrap(), None, "it is spent");

    // One tab goes on; the other is still within its grace.
    assert_eq!(
        successor(tokens.rotate(&rotate("second", "third", later(10)), &reuse).await.unwrap()),
        TokenHash::of("third")
    );
    let again = tokens.rotate(&rotate("token 1", "second", later(31)), &reuse).await.unwrap();
    let Rotation::Granted { token, successor } = again else { panic!("{again:?}") };
    assert_eq!((token.token_id, successor), (token_id(1), TokenHash::of("second")));
    assert_eq!(token.expires_at, Some(later(100_000)), "the family lives on");
    assert!(tokens.credential(&TokenHash::of("third"), later(31)).await.unwrap().is_some());
}

pub(crate) async fn reuse_after_grace_ends_the_family(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    tokens.create_token(&token(1, TokenKind::Session, user(1)), &entry("signed_in")).await.unwrap();
    let reuse = entry("refresh_token_reused");
    tokens.rotate(&rotate("token 1", "second", later(1)), &reuse).await.unwrap();
    let reused = tokens.rotate(&rotate("token 1", "second", later(32)), &reuse).await.unwrap();
    let Rotation::Reused(ended) = reused else { panic!("{reused:?}") };
    assert_eq!(ended.tokens[0].token_id, token_id(1));
    assert_eq!(tokens.rotate(&rotate("second", "third", later(33)), &reuse).await.unwrap(), Rotation::Unknown);
    assert_eq!(tokens.rotate(&rotate("token 1", "second", later(33)), &reuse).await.unwrap(), Rotation::Unknown);
    let audited = stores.housekeeping.audit_log(&newest(1)).await.unwrap();
    assert_eq!(audited[0].entry.action, "refresh_token_reused");
}

pub(crate) async fn an_old_refresh_token_still_ends_the_family(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    tokens.create_token(&token(1, TokenKind::Session, user(1)), &entry("signed_in")).await.unwrap();
    let reuse = entry("reuse");
    for (presented, successor, at) in [("token 1", "second", 1), ("second", "third", 2), ("third", "fourth", 3)] {
        tokens.rotate(&rotate(presented, successor, later(at)), &reuse).await.unwrap();
    }
    // The thief has moved on twice when the victim comes back.
    let reused = tokens.rotate(&rotate("token 1", "second", later(600)), &reuse).await.unwrap();
    assert!(matches!(reused, Rotation::Reused(_)), "{reused:?}");
    assert_eq!(tokens.credential(&TokenHash::of("fourth"), later(600)).await.unwrap(), None);

    // Only a browser's session is replaced, and only one that somebody knows.
    tokens.create_token(&token(2, TokenKind::Cli, user(1)), &entry("signed_in")).await.unwrap();
    assert_eq!(tokens.rotate(&rotate("token 2", "x", later(1)), &reuse).await.unwrap(), Rotation::Unknown);
    assert_eq!(tokens.rotate(&rotate("made up", "x", later(1)), &reuse).await.unwrap(), Rotation::Unknown);
}

pub(crate) async fn a_link_counts_once(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    let mut link = token(1, TokenKind::SignIn, user(2));
    link.expires_at = Some(later(600));
    tokens.create_token(&link, &entry("link_made")).await.unwrap();
    let session = |n: u128| LinkedSession {
        token_id: token_id(n),
        kind: TokenKind::Session,
        name: "browser".to_owned(),
        hash: TokenHash::of(&format!("session {n}")),
        expires_at: None,
    };
    let exchanged = futures_util::future::join_all((10..14).map(|n| {
        let session = session(n);
        async move { tokens.exchange_link(&link.hash, &session, &entry("signed_in")).await }
    }))
    .await;
    let opened: Vec<_> = exchanged.iter().filter_map(|exchanged| exchanged.as_ref().ok()).collect();
    let [opened] = opened.as_slice() else { panic!("{exchanged:?}") };
    assert_eq!((opened.user_id, &opened.scopes), (user(2), &link.scopes));
    assert_eq!(tokens.tokens_of(user(2), START).await.unwrap(), [(*opened).clone()]);

    let mut expired = token(2, TokenKind::SignIn, user(2));
    expired.expires_at = Some(START);
    tokens.create_token(&expired, &entry("link_made")).await.unwrap();
    assert_eq!(
        conflict(tokens.exchange_link(&expired.hash, &session(20), &entry("signed_in")).await),
        Conflict::LinkSpent
    );
    tokens.create_token(&token(3, TokenKind::Cli, user(2)), &entry("signed_in")).await.unwrap();
    let not_a_link = tokens.exchange_link(&TokenHash::of("token 3"), &session(20), &entry("signed_in")).await;
    assert_eq!(conflict(not_a_link), Conflict::LinkSpent);
}

pub(crate) async fn revoking_a_key_revokes_what_it_enrolled(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    for n in [1, 2] {
        tokens.create_key(&key(n, KeyKind::Worker, user(1)), &entry("key_created")).await.unwrap();
        stores.workers.register(&registration(n, user(1), Some(key_id(n))), &entry("worker_joined")).await.unwrap();
    }
    let ended = tokens.revoke_key(key_id(1), &entry("key_revoked")).await.unwrap();
    assert_eq!(ended.keys, [key_id(1)]);
    assert_eq!(ended.tokens.iter().map(|token| token.worker_id).collect::<Vec<_>>(), [Some(worker(1))]);
    assert_eq!(tokens.credential(&TokenHash::of("worker 1"), START).await.unwrap(), None);
    assert!(tokens.credential(&TokenHash::of("worker 2"), START).await.unwrap().is_some());
    let refused = stores.workers.register(&registration(3, user(1), Some(key_id(1))), &entry("worker_joined")).await;
    assert_eq!(conflict(refused), Conflict::KeySpent);
    let again = tokens.revoke_key(key_id(1), &entry("key_revoked")).await.unwrap();
    assert_eq!((again.keys.len(), again.tokens.len()), (0, 0));
    let keys = tokens.keys(Some(user(1))).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.revoked_at).collect::<Vec<_>>(), [None, Some(START)]);
    assert_eq!(tokens.keys(Some(user(2))).await.unwrap(), []);
    assert_eq!(tokens.keys(None).await.unwrap().len(), 2);
}

pub(crate) async fn uses_are_noted_and_never_go_back(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    tokens.create_token(&token(1, TokenKind::Cli, user(1)), &entry("signed_in")).await.unwrap();
    tokens.create_key(&key(1, KeyKind::Api, user(1)), &entry("key_created")).await.unwrap();
    let both = |at| [(CredentialId::Token(token_id(1)), at), (CredentialId::Key(key_id(1)), at)];
    tokens.touch(&both(later(9))).await.unwrap();
    tokens.touch(&both(later(5))).await.unwrap();
    tokens.touch(&[]).await.unwrap();
    assert_eq!(tokens.tokens_of(user(1), START).await.unwrap()[0].last_used_at, Some(later(9)));
    assert_eq!(tokens.key(key_id(1)).await.unwrap().unwrap().last_used_at, Some(later(9)));
}

pub(crate) async fn revoking_what_is_unknown_says_so(backend: &impl HasStores) {
    let stores = backend.stores();
    let unknown = stores.tokens.revoke_token(token_id(1), &entry("x")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { entity: "token" })), "{unknown:?}");
    let unknown = stores.tokens.revoke_key(key_id(1), &entry("x")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { entity: "key" })), "{unknown:?}");
    assert_eq!(stores.tokens.key(key_id(1)).await.unwrap(), None);
    assert_eq!(stores.housekeeping.audit_log(&newest(10)).await.unwrap(), []);
}
