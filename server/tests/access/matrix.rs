//! Every operation of the document, asked by everybody: allowed or denied exactly as the table of rights says.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use swarm_model::rights::{Asker, InstanceRole, Operation, Relation, Scope, WorkerRole, allows};

use crate::cast::Cast;

/// Who asks, and how they stand to the thing: to the attic, to Tom's task, to what is Tom's own.
struct Voice {
    name: &'static str,
    asker: Asker,
    credential: Option<String>,
}

/// What a route is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thing {
    /// Nothing in particular.
    Nothing,
    /// Oneself, whoever one is.
    Oneself,
    /// The workers that one may see, perhaps none.
    VisibleWorkers,
    /// Olga's machine.
    Attic,
    /// A task, a session, a key or a budget of Tom's.
    Toms,
}

fn voices(cast: &Cast) -> Vec<Voice> {
    let voice = |name, asker, credential: &str| Voice { name, asker, credential: Some(credential.to_owned()) };
    let member = |name| voice(name, Asker::Person(InstanceRole::Member), cast.token(name));
    let program = |name, scopes: &[Scope], key| {
        voice(name, Asker::Program(InstanceRole::Member, scopes.iter().copied().collect()), key)
    };
    vec![
        Voice { name: "nobody", asker: Asker::Anonymous, credential: None },
        voice("made up", Asker::Anonymous, "gs_cli_made_up"),
        voice("expired", Asker::Anonymous, &cast.expired),
        voice("revoked", Asker::Anonymous, &cast.revoked),
        member("eve"),
        member("vera"),
        member("otto"),
        member("olga"),
        member("tom"),
        voice("ada", Asker::Person(InstanceRole::Admin), cast.token("ada")),
        voice("the attic", Asker::Worker, &cast.attic.credential),
        voice("the cellar", Asker::Worker, &cast.cellar.credential),
        program("tom's narrow key", &[Scope::WorkersRead], &cast.narrow),
        program("tom's wide key", &Scope::ALL, &cast.wide),
    ]
}

/// How a voice stands to what a route is about.
fn relation(thing: Thing, voice: &Voice) -> Relation {
    let is_person = matches!(voice.asker, Asker::Person(_) | Asker::Program(..));
    match (thing, voice.name) {
        (Thing::Attic, "vera") => Relation::OnWorker(WorkerRole::Viewer),
        (Thing::Attic, "otto") => Relation::OnWorker(WorkerRole::Operator),
        (Thing::Attic, "olga") => Relation::OnWorker(WorkerRole::Owner),
        (Thing::Attic, "the attic") => Relation::Own,
        (Thing::Toms, "tom" | "tom's narrow key" | "tom's wide key") => Relation::Own,
        (Thing::Oneself, _) if is_person => Relation::Own,
        (Thing::VisibleWorkers, _) if is_person => Relation::SharedWorker,
        (Thing::Nothing | Thing::Oneself | Thing::Attic | Thing::Toms | Thing::VisibleWorkers, _) => Relation::None,
    }
}

/// What a route is about, with its path and a body that is good.
async fn request(cast: &Cast, method: &str, path: &str) -> Result<(Thing, String, Option<Value>)> {
    use Thing::{Attic, Nothing, Oneself, Toms, VisibleWorkers};
    let attempt = json!({ "task_id": cast.task.task_id, "attempt": 1 });
    let beat = json!({ "boot_id": "01890a5d-ac96-774b-bcce-b302099a8057" });
    let attic = |path: &str| path.replace("{id}", &cast.attic.worker_id.to_string());
    let task = |path: &str| path.replace("{id}", &cast.task.task_id.to_string());
    let below = path.strip_prefix("/api/v1").context("a path of the interface")?;
    let (thing, path, body) = match (method, below) {
        ("post", "/auth/register" | "/auth/login" | "/auth/link" | "/auth/refresh" | "/auth/logout") => {
            (Nothing, below.to_owned(), None)
        }
        ("get", "/auth/me") => (Oneself, below.to_owned(), None),
        ("put", "/auth/me") => (Oneself, below.to_owned(), Some(json!({ "email": "me@example.org" }))),
        ("post", "/auth/change-password") => {
            (Oneself, below.to_owned(), Some(json!({ "new_password": "correct horse battery" })))
        }
        ("post", "/auth/ticket") => (Nothing, below.to_owned(), None),
        ("get" | "delete", "/auth/sessions") => (Oneself, below.to_owned(), None),
        ("delete", "/auth/sessions/{id}") => {
            (Toms, below.replace("{id}", &cast.session("tom").await?.to_string()), None)
        }
        ("get", "/auth/invitations") => (Nothing, below.to_owned(), None),
        ("post", "/auth/invitations") => (Nothing, below.to_owned(), Some(json!({}))),
        ("delete", "/auth/invitations/{id}") => {
            (Nothing, below.replace("{id}", &cast.invitation.invitation_id.to_string()), None)
        }
        ("get", "/users") => (Nothing, below.to_owned(), None),
        ("put", "/users/{id}") => {
            (Nothing, below.replace("{id}", &cast.id("eve").to_string()), Some(json!({ "is_active": false })))
        }
        ("post", "/users/{id}/reset-password") => (Nothing, below.replace("{id}", &cast.id("eve").to_string()), None),
        ("get", "/audit") => (Nothing, below.to_owned(), None),
        ("get", "/keys") => (Oneself, below.to_owned(), None),
        ("post", "/keys") => (Oneself, below.to_owned(), Some(json!({ "kind": "api", "name": "x" }))),
        ("post", "/workers/invitations") => (Oneself, below.to_owned(), Some(json!({}))),
        ("delete", "/keys/{id}") => {
            let keys = cast.coordinator.user("tom").client.keys().await?;
            let last = keys.last().context("tom has keys")?;
            (Toms, below.replace("{id}", &last.key_id.to_string()), None)
        }
        ("get", "/status") | ("post", "/swarm/pause" | "/swarm/resume") => (Nothing, below.to_owned(), None),
        // A list holds what is one's own.
        ("get", "/tasks") => (Oneself, below.to_owned(), None),
        ("get", "/usage" | "/budgets" | "/roles") => (Oneself, below.to_owned(), None),
        ("post", "/budgets") => {
            (Oneself, below.to_owned(), Some(json!({ "period": "day", "unit": "tokens", "amount": 5 })))
        }
        ("put", "/budgets/{id}") => {
            (Toms, below.replace("{id}", &cast.budget.budget_id.to_string()), Some(json!({ "amount": 7 })))
        }
        ("delete", "/budgets/{id}") => (Toms, below.replace("{id}", &cast.budget.budget_id.to_string()), None),
        ("put", "/roles") => (Oneself, below.to_owned(), Some(json!({ "at_limit": "next" }))),
        ("put", "/roles/{role}") => {
            (Oneself, below.replace("{role}", "coder"), Some(json!({ "entries": [{ "tool": "demo" }] })))
        }
        ("get" | "delete", "/roles/{role}") => (Oneself, below.replace("{role}", "coder"), None),
        ("get", "/workers" | "/tools") => (VisibleWorkers, below.to_owned(), None),
        ("post", "/tasks") => (Nothing, below.to_owned(), Some(json!({ "description": "x" }))),
        ("post", "/tasks/batch") => (Nothing, below.to_owned(), Some(json!({ "tasks": [{ "description": "x" }] }))),
        ("put", "/tasks/{id}") => (Toms, task(below), Some(json!({ "version": cast.task.version, "priority": 7 }))),
        (_, rest) if rest.starts_with("/tasks/{id}") => (Toms, task(&rest.replace("{hash}", "00")), None),
        ("post", "/workers/register") => (Nothing, below.to_owned(), None),
        ("put", "/workers/{id}") => (Attic, attic(below), Some(json!({ "machine_name": "loft" }))),
        ("post", "/workers/{id}/shares") => (Attic, attic(below), Some(json!({ "username": "eve" }))),
        ("delete", "/workers/{id}/shares/{user_id}") => {
            (Attic, attic(&below.replace("{user_id}", &cast.id("otto").to_string())), None)
        }
        ("post", "/workers/{id}/heartbeat") => (Attic, attic(below), Some(beat)),
        ("post", "/workers/{id}/report") => (Attic, attic(below), Some(json!({ "accepted": [attempt] }))),
        ("put", "/workers/{id}/artifacts/{task_id}/{attempt}/{name}") => {
            let path = below.replace("{task_id}", &cast.task.task_id.to_string());
            (Attic, attic(&path.replace("{attempt}", "1").replace("{name}", "a.txt")), None)
        }
        (_, rest) if rest.starts_with("/workers/{id}") => (Attic, attic(rest), None),
        (method, path) => anyhow::bail!("{method} {path} is new: say here what it is about"),
    };
    Ok((thing, format!("/api/v1{path}"), body))
}

/// What the table says.
fn due(operation: Operation, thing: Thing, voice: &Voice) -> Verdict {
    if allows(operation, voice.asker, relation(thing, voice)) {
        Verdict::Allowed
    } else if voice.asker == Asker::Anonymous {
        Verdict::Unknown
    } else {
        Verdict::Denied
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// 401.
    Unknown,
    /// 403, or 404 where existence is a secret.
    Denied,
}

fn operation_named(name: &str) -> Result<Operation> {
    let found = Operation::ALL.iter().find(|operation| operation.as_str() == name);
    found.copied().with_context(|| format!("no operation is called {name}"))
}

#[tokio::test]
async fn everybody_is_allowed_what_the_table_says_and_nothing_else() -> Result<()> {
    let mut cast = Cast::assemble().await?;
    let document: Value = cast.coordinator.get("/api/v1/openapi.json").send().await.json();
    let mut n_asked = 0;
    let mut wrong = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, described) in item.as_object().context("methods")? {
            let right = described["x-right"].as_str().context("a route names its right")?;
            let operation = operation_named(right)?;
            // Who comes in shows a secret of its own, which the tests of signing in are about.
            if allows(operation, Asker::Anonymous, Relation::None) {
                continue;
            }
            for index in 0..voices(&cast).len() {
                let voice = voices(&cast).swap_remove(index);
                let (thing, target, body) = request(&cast, method, path).await?;
                let answer = cast.send(voice.credential.as_deref(), method, &target, body).await;
                let due = due(operation, thing, &voice);
                let found = found(answer.status.as_u16(), &answer.text());
                if found != due {
                    wrong.push(format!("{method} {path} by {}: {} is not {due:?}", voice.name, answer.status));
                }
                n_asked += 1;
                // What was allowed may have changed the world.
                if due == Verdict::Allowed && method != "get" {
                    cast.coordinator.finish().await?;
                    cast = Cast::assemble().await?;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(n_asked > 500, "{n_asked}");
    cast.coordinator.finish().await
}

/// What the answer means. A thing that was allowed to be asked for and is not there is no denial.
fn found(status: u16, text: &str) -> Verdict {
    match status {
        401 => Verdict::Unknown,
        404 if text.contains("no such artifact") => Verdict::Allowed,
        403 | 404 => Verdict::Denied,
        _ => Verdict::Allowed,
    }
}
