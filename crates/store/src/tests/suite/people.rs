use swarm_model::rights::InstanceRole;
use swarm_model::{KeyId, Timestamp, TokenId, UserId};

use super::HasStores;
use crate::Stores;
use crate::audit::AuditFilter;
use crate::error::{Conflict, StoreError};
use crate::people::{NewInvitation, NewUser, UserChange};
use crate::tests::story::{START, entry, user, uuid};
use crate::token::{KeyKind, NewKey, NewToken, TokenHash, TokenKind};

pub(crate) fn person(n: u128, name: &str, role: InstanceRole) -> NewUser {
    NewUser {
        user_id: user(n),
        username: name.to_owned(),
        email: None,
        password_hash: Some("$argon2id$".to_owned()),
        role,
    }
}

/// Ann (1) is the admin, Ben (2) a member.
pub(crate) async fn two_people(stores: &Stores) {
    stores.people.create_first_user(&person(1, "Ann", InstanceRole::Admin), &entry("first_user")).await.unwrap();
    stores.people.create_user(&person(2, "Ben", InstanceRole::Member), None, &entry("user_created")).await.unwrap();
}

pub(crate) fn token_id(n: u128) -> TokenId {
    TokenId::from_uuid(uuid(6, n))
}

pub(crate) fn key_id(n: u128) -> KeyId {
    KeyId::from_uuid(uuid(7, n))
}

pub(crate) fn token(n: u128, kind: TokenKind, user_id: UserId) -> NewToken {
    NewToken {
        token_id: token_id(n),
        kind,
        user_id,
        worker_id: None,
        key_id: None,
        name: "a laptop".to_owned(),
        hash: TokenHash::of(&format!("token {n}")),
        scopes: vec!["tasks".to_owned()],
        expires_at: Some(later(1000)),
    }
}

pub(crate) fn key(n: u128, kind: KeyKind, user_id: UserId) -> NewKey {
    NewKey {
        key_id: key_id(n),
        kind,
        user_id,
        name: "for the attic".to_owned(),
        hash: TokenHash::of(&format!("key {n}")),
        scopes: Vec::new(),
        uses: None,
        expires_at: None,
        created_by: user_id,
    }
}

pub(crate) fn newest(limit: usize) -> AuditFilter {
    AuditFilter { limit, ..AuditFilter::default() }
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    START + std::time::Duration::from_secs(seconds)
}

pub(crate) fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Conflict {
    match result {
        Err(StoreError::Conflict(conflict)) => conflict,
        other => panic!("a conflict was due, and there was {other:?}"),
    }
}

pub(crate) async fn the_first_user_is_made_once(backend: &impl HasStores) {
    let people = &backend.stores().people;
    let made = futures_util::future::join_all((1..=4).map(|n| {
        let user = person(n, &format!("user {n}"), InstanceRole::Admin);
        async move { people.create_first_user(&user, &entry("first_user")).await }
    }))
    .await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(refused), Conflict::Owned);
    }
    let users = people.users().await.unwrap();
    let [only] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!((only.role, only.is_active, only.created_at, only.last_login), (InstanceRole::Admin, true, START, None));
    people.note_login(only.user_id, later(5)).await.unwrap();
    assert_eq!(people.user(only.user_id).await.unwrap().unwrap().last_login, Some(later(5)));
    assert_eq!(
        backend.stores().housekeeping.audit_log(&newest(10)).await.unwrap().len(),
        1,
        "what was refused is not in the audit"
    );
}

pub(crate) async fn names_are_unique_whatever_their_case(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let people = &stores.people;
    assert_eq!(people.user_by_name("aNN").await.unwrap().unwrap().user_id, user(1));
    assert_eq!(people.user_by_name("an").await.unwrap(), None);
    let again = people.create_user(&person(3, "BEN", InstanceRole::Member), None, &entry("user_created")).await;
    assert_eq!(conflict(again), Conflict::UsernameTaken);

    let email = |address: &str| UserChange { email: Some(Some(address.to_owned())), ..UserChange::default() };
    people.update_user(user(1), &email("Ann@Example.org"), &entry("email")).await.unwrap();
    assert_eq!(
        conflict(people.update_user(user(2), &email("ann@example.ORG"), &entry("email")).await),
        Conflict::EmailTaken
    );
    assert_eq!(
        people.user_by_email("ann@example.org").await.unwrap().unwrap().email.as_deref(),
        Some("Ann@Example.org")
    );
    // No address is not an address.
    people.create_user(&person(3, "Cleo", InstanceRole::Member), None, &entry("user_created")).await.unwrap();
    people
        .update_user(user(1), &UserChange { email: Some(None), ..UserChange::default() }, &entry("email"))
        .await
        .unwrap();
    assert_eq!(people.user_by_email("ann@example.org").await.unwrap(), None);

    let rename = UserChange { username: Some("ben".to_owned()), ..UserChange::default() };
    assert_eq!(conflict(people.update_user(user(1), &rename, &entry("rename")).await), Conflict::UsernameTaken);
    people.update_user(user(2), &rename, &entry("rename")).await.unwrap();
    let names: Vec<String> = people.users().await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["Ann", "ben", "Cleo"]);
    let unknown = people.update_user(user(9), &rename, &entry("rename")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { entity: "user" })), "{unknown:?}");
}

pub(crate) async fn an_invitation_counts_as_often_as_it_says(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let people = &stores.people;
    let hash = TokenHash::of("invitation");
    let invitation = NewInvitation {
        invitation_id: token_id(1),
        hash,
        role: InstanceRole::Admin,
        created_by: user(1),
        uses: 2,
        expires_at: later(100),
    };
    people.create_invitation(&invitation, &entry("invited")).await.unwrap();
    let joined = futures_util::future::join_all((10..15).map(|n| {
        let user = person(n, &format!("guest {n}"), InstanceRole::Member);
        async move { people.create_user(&user, Some(&hash), &entry("registered")).await }
    }))
    .await;
    assert_eq!(joined.iter().filter(|joined| joined.is_ok()).count(), 2);
    for refused in joined.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(refused), Conflict::InvitationSpent);
    }
    let admins = people.users().await.unwrap().iter().filter(|user| user.role == InstanceRole::Admin).count();
    assert_eq!(admins, 3, "the invitation names the role");
    assert_eq!(people.invitation(&hash, START).await.unwrap(), None);

    let other = NewInvitation { invitation_id: token_id(2), hash: TokenHash::of("other"), ..invitation };
    people.create_invitation(&other, &entry("invited")).await.unwrap();
    assert_eq!(people.invitation(&other.hash, START).await.unwrap().unwrap().uses_left, 2);
    assert_eq!(people.invitation(&other.hash, later(100)).await.unwrap(), None, "expired");
    // A name that is taken costs no use.
    let taken =
        people.create_user(&person(20, "ann", InstanceRole::Member), Some(&other.hash), &entry("registered")).await;
    assert_eq!(conflict(taken), Conflict::UsernameTaken);
    assert_eq!(people.invitation(&other.hash, START).await.unwrap().unwrap().uses_left, 2);
    people.revoke_invitation(other.invitation_id, &entry("invitation_revoked")).await.unwrap();
    assert_eq!(people.invitation(&other.hash, START).await.unwrap(), None);
    assert_eq!(people.invitations().await.unwrap().len(), 2);
    assert!(people.revoke_invitation(token_id(3), &entry("x")).await.is_err());
}

pub(crate) async fn deactivating_ends_everything_at_once(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let tokens = &stores.tokens;
    tokens.create_token(&token(1, TokenKind::Session, user(2)), &entry("signed_in")).await.unwrap();
    tokens.create_token(&token(2, TokenKind::Cli, user(1)), &entry("signed_in")).await.unwrap();
    tokens.create_key(&key(1, KeyKind::Api, user(2)), &entry("key_created")).await.unwrap();
    let off = UserChange { is_active: Some(false), ..UserChange::default() };
    let ended = stores.people.update_user(user(2), &off, &entry("user_deactivated")).await.unwrap();
    assert_eq!(ended.tokens.iter().map(|token| token.token_id).collect::<Vec<_>>(), [token_id(1)]);
    assert_eq!(ended.keys, [key_id(1)]);
    assert_eq!(tokens.credential(&TokenHash::of("token 1"), START).await.unwrap(), None);
    assert_eq!(tokens.credential(&TokenHash::of("key 1"), START).await.unwrap(), None);
    assert!(tokens.credential(&TokenHash::of("token 2"), START).await.unwrap().is_some());
    assert!(!stores.people.user(user(2)).await.unwrap().unwrap().is_active);

    let on = UserChange { is_active: Some(true), ..UserChange::default() };
    stores.people.update_user(user(2), &on, &entry("user_activated")).await.unwrap();
    assert_eq!(tokens.credential(&TokenHash::of("key 1"), START).await.unwrap(), None, "what ended stays ended");
}

pub(crate) async fn a_new_password_ends_the_other_sessions(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    for n in 1..=3 {
        stores.tokens.create_token(&token(n, TokenKind::Session, user(2)), &entry("signed_in")).await.unwrap();
    }
    let password = "$argon2id$new".to_owned();
    let change =
        UserChange { password_hash: Some(Some(password.clone())), keep: Some(token_id(2)), ..UserChange::default() };
    let ended = stores.people.update_user(user(2), &change, &entry("password_changed")).await.unwrap();
    assert_eq!(ended.tokens.len(), 2);
    let left: Vec<TokenId> =
        stores.tokens.tokens_of(user(2), START).await.unwrap().iter().map(|token| token.token_id).collect();
    assert_eq!(left, [token_id(2)]);
    let record = stores.people.user(user(2)).await.unwrap().unwrap();
    assert_eq!(record.password_hash, Some(password));
    let none = UserChange { password_hash: Some(None), ..UserChange::default() };
    let ended = stores.people.update_user(user(2), &none, &entry("password_reset")).await.unwrap();
    assert_eq!(ended.tokens.len(), 1, "a password that was taken away ends every session");
    assert_eq!(stores.people.user(user(2)).await.unwrap().unwrap().password_hash, None);
    assert!(!format!("{record:?} {change:?}").contains("argon2id"), "no hash in what logs show");
}

pub(crate) async fn the_last_admin_stays(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let people = &stores.people;
    let off = UserChange { is_active: Some(false), ..UserChange::default() };
    let demoted = UserChange { role: Some(InstanceRole::Member), ..UserChange::default() };
    assert_eq!(conflict(people.update_user(user(1), &off, &entry("x")).await), Conflict::LastAdmin);
    assert_eq!(conflict(people.update_user(user(1), &demoted, &entry("x")).await), Conflict::LastAdmin);
    assert!(people.user(user(1)).await.unwrap().unwrap().is_active);
    let promoted = UserChange { role: Some(InstanceRole::Admin), ..UserChange::default() };
    people.update_user(user(2), &promoted, &entry("promoted")).await.unwrap();
    people.update_user(user(1), &off, &entry("user_deactivated")).await.unwrap();
    assert_eq!(conflict(people.update_user(user(2), &off, &entry("x")).await), Conflict::LastAdmin);
}

pub(crate) async fn settings_are_kept_and_audited(backend: &impl HasStores) {
    let stores = backend.stores();
    let people = &stores.people;
    let paused = serde_json::json!(true);
    people.set_setting("swarm_paused", Some(&paused), &entry("swarm_paused")).await.unwrap();
    people.set_setting("greeting", Some(&serde_json::json!({"text": "hi"})), &entry("setting_changed")).await.unwrap();
    people.set_setting("greeting", Some(&serde_json::json!("hello")), &entry("setting_changed")).await.unwrap();
    let settings = people.settings().await.unwrap();
    assert_eq!(
        settings,
        [("greeting".to_owned(), serde_json::json!("hello")), ("swarm_paused".to_owned(), paused)].into()
    );
    people.set_setting("greeting", None, &entry("setting_forgotten")).await.unwrap();
    assert_eq!(people.settings().await.unwrap().len(), 1);

    let log = stores.housekeeping.audit_log(&newest(3)).await.unwrap();
    let actions: Vec<&str> = log.iter().map(|record| record.entry.action.as_str()).collect();
    assert_eq!(actions, ["setting_forgotten", "setting_changed", "setting_changed"]);
    assert_eq!(log[0].entry, entry("setting_forgotten"));
    let rest = stores.housekeeping.audit_log(&AuditFilter { before: Some(log[2].id), ..newest(3) }).await.unwrap();
    assert_eq!(rest.iter().map(|record| record.entry.action.as_str()).collect::<Vec<_>>(), ["swarm_paused"]);

    let named = |action: &str| AuditFilter { action: Some(action.to_owned()), ..newest(10) };
    assert_eq!(stores.housekeeping.audit_log(&named("setting_changed")).await.unwrap().len(), 2);
    let of = entry("setting_forgotten");
    let exact =
        AuditFilter { actor: Some(of.actor.clone()), subject: Some(of.subject.clone()), ..named("setting_forgotten") };
    assert_eq!(stores.housekeeping.audit_log(&exact).await.unwrap().len(), 1);
    let stranger = AuditFilter { actor: Some("user:nobody".to_owned()), ..newest(10) };
    assert_eq!(stores.housekeeping.audit_log(&stranger).await.unwrap(), []);
}

pub(crate) async fn what_people_choose_is_their_own(backend: &impl HasStores) {
    let people = &backend.stores().people;
    let (mine, theirs) = (serde_json::json!(["demo"]), serde_json::json!("next"));
    people.set_user_setting(user(1), "role:coder", Some(&serde_json::json!([])), &entry("chosen")).await.unwrap();
    people.set_user_setting(user(1), "role:coder", Some(&mine), &entry("chosen")).await.unwrap();
    people.set_user_setting(user(2), "at_limit", Some(&theirs), &entry("chosen")).await.unwrap();
    assert_eq!(people.user_settings(user(1)).await.unwrap(), [("role:coder".to_owned(), mine)].into());
    people.set_user_setting(user(1), "role:coder", None, &entry("chosen")).await.unwrap();
    assert!(people.user_settings(user(1)).await.unwrap().is_empty());
    assert_eq!(people.user_settings(user(2)).await.unwrap(), [("at_limit".to_owned(), theirs)].into());
    assert!(people.settings().await.unwrap().is_empty(), "they are nobody else's");
}
