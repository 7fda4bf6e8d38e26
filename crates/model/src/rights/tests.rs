use super::*;

const MEMBER: Asker = Asker::Person(InstanceRole::Member);
const ADMIN: Asker = Asker::Person(InstanceRole::Admin);

fn allowed_to(asker: Asker, relation: Relation) -> Vec<&'static str> {
    let allowed = Operation::ALL.iter().filter(|operation| allows(**operation, asker, relation));
    allowed.map(|operation| operation.as_str()).collect()
}

#[test]
fn a_stranger_may_only_knock() {
    let open = allowed_to(Asker::Anonymous, Relation::None);
    assert_eq!(open, ["probe health", "read documents", "sign in", "register", "enrol a worker"]);
}

#[test]
fn an_admin_does_not_read_other_peoples_texts() {
    assert!(!allows(Operation::ReadTask, ADMIN, Relation::None));
}

#[test]
fn a_worker_is_not_a_person() {
    for operation in [Operation::SubmitTask, Operation::ReadTask, Operation::ManageKeys, Operation::SteerSwarm] {
        assert!(!allows(operation, Asker::Worker, Relation::Own), "{}", operation.as_str());
    }
    assert!(!allows(Operation::ActAsWorker, Asker::Worker, Relation::None), "another worker");
}

#[test]
fn an_operator_sends_tasks_and_does_not_steer() {
    let operator = Relation::OnWorker(WorkerRole::Operator);
    assert!(allows(Operation::TargetWorker, MEMBER, operator));
    for denied in [Operation::SteerWorker, Operation::ManageWorker, Operation::ReadUsage] {
        assert!(!allows(denied, MEMBER, operator), "{}", denied.as_str());
    }
}

#[test]
fn what_was_used_is_seen_by_who_used_it_who_owns_the_machine_and_the_admin() {
    assert!(allows(Operation::ReadOwnUsage, MEMBER, Relation::Own));
    assert!(!allows(Operation::ReadOwnUsage, MEMBER, Relation::None));
    assert!(allows(Operation::ReadUsage, MEMBER, Relation::OnWorker(WorkerRole::Owner)));
    assert!(allows(Operation::ReadUsage, ADMIN, Relation::None));
    assert!(!allows(Operation::ReadUsage, MEMBER, Relation::SharedWorker));
}

#[test]
fn a_key_is_less_than_its_person() {
    for role in [InstanceRole::Admin, InstanceRole::Member] {
        for relation in [Relation::None, Relation::Own, Relation::OnWorker(WorkerRole::Owner)] {
            for operation in Operation::ALL {
                let by_key = allows(*operation, Asker::Program(role, Scopes::all()), relation);
                assert!(!by_key || allows(*operation, Asker::Person(role), relation), "{operation:?} {relation:?}");
            }
        }
    }
    let no_scope = Asker::Program(InstanceRole::Admin, Scopes::default());
    let knock = ["probe health", "read documents", "sign in", "register", "see oneself", "enrol a worker"];
    assert_eq!(allowed_to(no_scope, Relation::Own), knock);
    assert!(!allows(Operation::ManageKeys, Asker::Program(InstanceRole::Admin, Scopes::all()), Relation::Own));
}

#[test]
fn scopes_keep_what_is_put_in() {
    for scope in Scope::ALL {
        let only: Scopes = [scope].into_iter().collect();
        assert_eq!(only.iter().collect::<Vec<_>>(), [scope]);
        assert_eq!(scope.as_str().parse(), Ok(scope));
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
    }
    assert_eq!(Scopes::all().iter().count(), Scope::ALL.len());
    assert!("tasks".parse::<Scope>().is_err());
    assert!("x".repeat(100_000).parse::<Scope>().unwrap_err().to_string().len() < 200);
}

/// `docs/access.md` is this table. With `UPDATE_DOCS=1` it is written anew.
#[test]
fn the_page_for_people_is_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/access.md");
    let page = access_document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page, "docs/access.md is not what the table says: run with UPDATE_DOCS=1");
}
