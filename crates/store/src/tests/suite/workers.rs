use swarm_model::rights::WorkerRole;
use swarm_model::worker::{Capabilities, Load, ProvenIsolation, ShareLimits};
use swarm_model::{GrantId, KeyId, UserId};

use super::HasStores;
use super::people::{conflict, key, key_id, later, token_id, two_people};
use crate::error::{Conflict, StoreError};
use crate::tests::story::{START, entry, user, uuid, worker};
use crate::token::{KeyKind, NewToken, TokenHash, TokenKind};
use crate::worker::{NewGrant, Registration, Seen};

fn capabilities(slots: u32) -> Capabilities {
    Capabilities {
        slots,
        agent_version: "0.1.0".to_owned(),
        tools: Vec::new(),
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        memory_mb: 8192,
        cpus: 4,
        labels: [("room".to_owned(), "attic".to_owned())].into(),
        grants: Vec::new(),
        isolation: ProvenIsolation::default(),
    }
}

pub(crate) fn registration(n: u128, owner: UserId, key: Option<KeyId>) -> Registration {
    Registration {
        worker_id: worker(n),
        machine_id: format!("machine {n}"),
        machine_name: format!("pc-{n}"),
        owner,
        key,
        capabilities: capabilities(2),
        shared: false,
        grant_id: GrantId::from_uuid(uuid(8, n)),
        credential: NewToken {
            token_id: token_id(1000 + n),
            kind: TokenKind::Worker,
            user_id: owner,
            worker_id: Some(worker(n)),
            key_id: key,
            name: format!("pc-{n}"),
            hash: TokenHash::of(&format!("worker {n}")),
            scopes: Vec::new(),
            expires_at: None,
        },
    }
}

pub(crate) async fn a_worker_joins_with_its_key_and_owner(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    stores.tokens.create_key(&key(1, KeyKind::Worker, user(1)), &entry("key_created")).await.unwrap();
    let joins = registration(1, user(1), Some(key_id(1)));
    let ended = stores.workers.register(&joins, &entry("worker_joined")).await.unwrap();
    assert_eq!((ended.tokens, ended.keys), (Vec::new(), Vec::new()));
    let record = stores.workers.worker(worker(1)).await.unwrap().unwrap();
    assert_eq!((record.worker_id, record.owner, record.enrolled_by), (worker(1), user(1), Some(key_id(1))));
    assert_eq!((&record.machine_id, &record.machine_name), (&joins.machine_id, &joins.machine_name));
    assert_eq!(record.capabilities, joins.capabilities);
    assert_eq!((record.shared, record.paused, record.draining, record.removed_at), (false, false, false, None));
    assert_eq!((record.registered_at, record.last_seen), (START, None));
    assert_eq!(stores.workers.role_of(user(1), worker(1)).await.unwrap(), Some(WorkerRole::Owner));
    assert_eq!(stores.workers.role_of(user(2), worker(1)).await.unwrap(), None);
    assert!(stores.tokens.credential(&TokenHash::of("worker 1"), START).await.unwrap().is_some());
    assert_eq!(stores.workers.worker(worker(2)).await.unwrap(), None);
    // An `api` key enrols nobody.
    stores.tokens.create_key(&key(2, KeyKind::Api, user(1)), &entry("key_created")).await.unwrap();
    let refused = stores.workers.register(&registration(2, user(1), Some(key_id(2))), &entry("worker_joined")).await;
    assert_eq!(conflict(refused), Conflict::KeySpent);
    assert_eq!(stores.workers.workers().await.unwrap(), [record]);
}

pub(crate) async fn a_key_never_enrols_more_than_it_may(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let mut bounded = key(1, KeyKind::Worker, user(1));
    bounded.uses = Some(3);
    bounded.expires_at = Some(later(10));
    stores.tokens.create_key(&bounded, &entry("key_created")).await.unwrap();
    let joined = futures_util::future::join_all((1..=8).map(|n| async move {
        stores.workers.register(&registration(n, user(1), Some(key_id(1))), &entry("worker_joined")).await
    }))
    .await;
    assert_eq!(joined.iter().filter(|joined| joined.is_ok()).count(), 3);
    for refused in joined.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(refused), Conflict::KeySpent);
    }
    assert_eq!(stores.workers.workers().await.unwrap().len(), 3);
    assert_eq!(stores.tokens.key(key_id(1)).await.unwrap().unwrap().uses_left, Some(0));
    assert_eq!(stores.tokens.credential(&bounded.hash, START).await.unwrap(), None, "used up");
}

pub(crate) async fn a_machine_is_one_worker_of_its_owner(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    let same_machine = |n, owner| Registration { machine_id: "machine".to_owned(), ..registration(n, owner, None) };
    workers.register(&same_machine(1, user(1)), &entry("worker_joined")).await.unwrap();
    let twice = workers.register(&same_machine(2, user(1)), &entry("worker_joined")).await;
    assert_eq!(conflict(twice), Conflict::Exists);
    workers.register(&same_machine(3, user(2)), &entry("worker_joined")).await.unwrap();
    assert_eq!(workers.worker_of_machine(user(1), "machine").await.unwrap(), Some(worker(1)));
    assert_eq!(workers.worker_of_machine(user(2), "machine").await.unwrap(), Some(worker(3)));
    assert_eq!(workers.worker_of_machine(user(1), "another").await.unwrap(), None);
    workers.remove(worker(1), &entry("worker_removed")).await.unwrap();
    assert_eq!(workers.worker_of_machine(user(1), "machine").await.unwrap(), None);
    workers.register(&same_machine(2, user(1)), &entry("worker_joined")).await.unwrap();
    assert_eq!(workers.worker_of_machine(user(1), "machine").await.unwrap(), Some(worker(2)));
}

pub(crate) async fn coming_back_replaces_the_credential(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    workers.register(&registration(1, user(1), None), &entry("worker_joined")).await.unwrap();
    workers.set_pause(worker(1), true, &entry("worker_paused")).await.unwrap();
    workers.remove(worker(1), &entry("worker_removed")).await.unwrap();
    let mut again = registration(1, user(1), None);
    again.machine_name = "renamed".to_owned();
    again.credential.token_id = token_id(2000);
    again.credential.hash = TokenHash::of("worker 1 again");
    workers.register(&again, &entry("worker_joined")).await.unwrap();
    let record = workers.worker(worker(1)).await.unwrap().unwrap();
    assert_eq!((record.machine_name.as_str(), record.removed_at, record.paused), ("renamed", None, true));
    assert_eq!(workers.role_of(user(1), worker(1)).await.unwrap(), Some(WorkerRole::Owner));

    again.credential.token_id = token_id(2001);
    again.credential.hash = TokenHash::of("worker 1 once more");
    let ended = workers.register(&again, &entry("worker_joined")).await.unwrap();
    assert_eq!(ended.tokens.iter().map(|token| token.token_id).collect::<Vec<_>>(), [token_id(2000)]);
    assert_eq!(stores.tokens.credential(&TokenHash::of("worker 1 again"), START).await.unwrap(), None);
}

pub(crate) async fn another_persons_worker_cannot_be_taken(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    stores.workers.register(&registration(1, user(1), None), &entry("worker_joined")).await.unwrap();
    let mut bounded = key(1, KeyKind::Worker, user(2));
    bounded.uses = Some(1);
    stores.tokens.create_key(&bounded, &entry("key_created")).await.unwrap();
    let taken = stores.workers.register(&registration(1, user(2), Some(key_id(1))), &entry("worker_joined")).await;
    assert_eq!(conflict(taken), Conflict::OthersWorker);
    assert_eq!(stores.workers.worker(worker(1)).await.unwrap().unwrap().owner, user(1));
    assert_eq!(stores.tokens.key(key_id(1)).await.unwrap().unwrap().uses_left, Some(1), "and costs no use");
}

pub(crate) async fn people_see_their_workers_and_shared_ones(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    for (n, owner) in [(1, 1), (2, 1), (3, 2)] {
        workers.register(&registration(n, user(owner), None), &entry("worker_joined")).await.unwrap();
    }
    let seen = async |n, all| {
        let views = workers.workers_for(user(n), all).await.unwrap();
        views.iter().map(|view| (view.worker.worker_id, view.role)).collect::<Vec<_>>()
    };
    let owned = Some(WorkerRole::Owner);
    assert_eq!(seen(2, false).await, [(worker(3), owned)]);
    assert_eq!(seen(1, true).await, [(worker(1), owned), (worker(2), owned), (worker(3), None)]);
    workers.set_shared(worker(1), true, &entry("worker_shared")).await.unwrap();
    let grant = NewGrant {
        grant_id: GrantId::from_uuid(uuid(8, 50)),
        user_id: user(2),
        worker_id: worker(2),
        role: WorkerRole::Viewer,
        limits: ShareLimits::default(),
    };
    workers.grant(&grant, &entry("role_given")).await.unwrap();
    assert_eq!(seen(2, false).await, [(worker(1), None), (worker(2), Some(WorkerRole::Viewer)), (worker(3), owned)]);
}

pub(crate) async fn what_a_worker_tells_is_kept(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    for n in [1, 2] {
        workers.register(&registration(n, user(1), None), &entry("worker_joined")).await.unwrap();
    }
    let load = Load { cpu_percent: 12.5, memory_percent: 50.0, disk_percent: 99.0 };
    let seen = |n, at, capabilities| Seen { worker_id: worker(n), at: later(at), load, capabilities };
    workers.save_seen(&[seen(1, 5, Some(capabilities(7))), seen(2, 6, None), seen(9, 7, None)]).await.unwrap();
    workers.save_seen(&[]).await.unwrap();
    let (first, second) =
        (workers.worker(worker(1)).await.unwrap().unwrap(), workers.worker(worker(2)).await.unwrap().unwrap());
    assert_eq!((first.last_seen, first.load, first.capabilities.slots), (Some(later(5)), load, 7));
    assert_eq!((second.last_seen, second.load, second.capabilities.slots), (Some(later(6)), load, 2));

    workers.set_pause(worker(1), true, &entry("worker_paused")).await.unwrap();
    workers.set_drain(worker(1), true, &entry("worker_drained")).await.unwrap();
    workers.rename(worker(1), "Dachboden", &entry("worker_renamed")).await.unwrap();
    let first = workers.worker(worker(1)).await.unwrap().unwrap();
    assert_eq!((first.paused, first.draining, first.machine_name.as_str()), (true, true, "Dachboden"));
    workers.set_pause(worker(1), false, &entry("worker_resumed")).await.unwrap();
    assert!(!workers.worker(worker(1)).await.unwrap().unwrap().paused);
    let unknown = workers.set_pause(worker(9), true, &entry("x")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { entity: "worker" })), "{unknown:?}");
}

pub(crate) async fn a_removed_worker_stays_in_history(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    workers.register(&registration(1, user(1), None), &entry("worker_joined")).await.unwrap();
    let ended = workers.remove(worker(1), &entry("worker_removed")).await.unwrap();
    assert_eq!(ended.tokens.iter().map(|token| token.worker_id).collect::<Vec<_>>(), [Some(worker(1))]);
    assert_eq!(stores.tokens.credential(&TokenHash::of("worker 1"), START).await.unwrap(), None);
    assert_eq!(workers.worker(worker(1)).await.unwrap().unwrap().removed_at, Some(START));
    assert_eq!(workers.workers().await.unwrap(), []);
    assert_eq!(workers.workers_for(user(1), true).await.unwrap(), []);
    assert_eq!(workers.role_of(user(1), worker(1)).await.unwrap(), None);
    assert!(workers.remove(worker(1), &entry("x")).await.is_err());
    assert!(workers.set_pause(worker(1), true, &entry("x")).await.is_err());
    let grant = NewGrant {
        grant_id: GrantId::from_uuid(uuid(8, 51)),
        user_id: user(2),
        worker_id: worker(1),
        role: WorkerRole::Viewer,
        limits: ShareLimits::default(),
    };
    assert!(workers.grant(&grant, &entry("x")).await.is_err());
}

pub(crate) async fn roles_are_given_and_ended(backend: &impl HasStores) {
    let stores = backend.stores();
    two_people(stores).await;
    let workers = &stores.workers;
    workers.register(&registration(1, user(1), None), &entry("worker_joined")).await.unwrap();
    let limits = |role| match role {
        WorkerRole::Operator => ShareLimits { tools: Some(["demo".parse().unwrap()].into()), slots: Some(1) },
        WorkerRole::Viewer | WorkerRole::Owner => ShareLimits::default(),
    };
    let grant = |n, role| NewGrant {
        grant_id: GrantId::from_uuid(uuid(8, n)),
        user_id: user(2),
        worker_id: worker(1),
        role,
        limits: limits(role),
    };
    workers.grant(&grant(50, WorkerRole::Viewer), &entry("role_given")).await.unwrap();
    workers.grant(&grant(51, WorkerRole::Operator), &entry("role_given")).await.unwrap();
    assert_eq!(workers.role_of(user(2), worker(1)).await.unwrap(), Some(WorkerRole::Operator));
    let grants = workers.grants(worker(1)).await.unwrap();
    assert_eq!(
        grants.iter().map(|grant| (grant.user_id, grant.is_active)).collect::<Vec<_>>(),
        [(user(1), true), (user(2), true)]
    );
    assert_eq!(grants[1].grant_id, GrantId::from_uuid(uuid(8, 50)), "one row for a user and a worker");
    assert_eq!(grants[1].limits, limits(WorkerRole::Operator));
    assert_eq!(grants[0].limits, ShareLimits::default());
    workers.revoke_grant(user(2), worker(1), &entry("role_ended")).await.unwrap();
    assert_eq!(workers.role_of(user(2), worker(1)).await.unwrap(), None);
    assert!(workers.revoke_grant(user(2), worker(1), &entry("x")).await.is_err());
    workers.grant(&grant(52, WorkerRole::Viewer), &entry("role_given")).await.unwrap();
    assert_eq!(workers.role_of(user(2), worker(1)).await.unwrap(), Some(WorkerRole::Viewer));
}
