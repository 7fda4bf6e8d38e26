//! The people and machines of these tests.
//!
//! Ada is the admin. Olga owns the machine "attic" and lets Otto use its `demo`, one run at once; Vera may look at it.
//! Tom has a task that waits. Eve owns the machine "cellar", and has nothing to do with the others.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use axum::http::Method;
use serde_json::{Value, json};
use swarm_model::budget::{BudgetPeriod, BudgetUnit};
use swarm_model::rights::{Scope, WorkerRole};
use swarm_model::worker::{Capabilities, ToolGrant};
use swarm_model::{KeyId, Timestamp, TokenId, UserId, WorkerId};
use swarm_proto::auth::{CreateInvitation, Invitation, OpenSession};
use swarm_proto::budgets::{Budget, CreateBudget};
use swarm_proto::keys::{CreateKey, CreatedKey, KeyKind};
use swarm_proto::tasks::Task;
use swarm_proto::workers::{RegisterWorker, RegisteredWorker, ShareWorker};
use swarm_store::TokenHash;
use swarm_store::token::{KeyKind as StoredKind, NewKey};
use swarm_testkit::coordinator::capabilities;
use swarm_testkit::{Answer, TestCoordinator};

pub(crate) const PEOPLE: [&str; 6] = ["ada", "olga", "otto", "vera", "tom", "eve"];

/// A machine with its own credential.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) worker_id: WorkerId,
    pub(crate) credential: String,
}

/// A coordinator with the cast on it.
pub(crate) struct Cast {
    pub(crate) coordinator: TestCoordinator,
    pub(crate) attic: Machine,
    pub(crate) cellar: Machine,
    pub(crate) task: Task,
    /// What Tom set for himself.
    pub(crate) budget: Budget,
    pub(crate) invitation: Invitation,
    /// A key of each person that may only look at workers, and one that may do all that a key may.
    pub(crate) narrow: String,
    pub(crate) wide: String,
    /// Keys of Tom's that no longer count.
    pub(crate) expired: String,
    pub(crate) revoked: String,
}

impl Cast {
    pub(crate) async fn assemble() -> Result<Self> {
        let builder = PEOPLE.iter().fold(TestCoordinator::builder(), |builder, name| builder.with_user(name));
        let coordinator = builder.may_leave_leases().build().await?;
        let attic = enrol(&coordinator, "olga", "attic").await?;
        let cellar = enrol(&coordinator, "eve", "cellar").await?;
        let olga = &coordinator.user("olga").client;
        for (name, role, limits) in [
            ("otto", WorkerRole::Operator, (Some(BTreeSet::from(["demo".parse()?])), Some(1))),
            ("vera", WorkerRole::Viewer, (None, None)),
        ] {
            let (tools, slots) = limits;
            let share = ShareWorker { username: name.to_owned(), role: Some(role), tools, slots };
            olga.share_worker(attic.worker_id, &share).await?;
        }
        let task = json!({ "description": "whisper: the safe is behind the picture" });
        let tom = &coordinator.user("tom").token;
        let task: Task = coordinator.post("/api/v1/tasks").bearer(tom).json(&task).send().await.json();
        let wish = CreateBudget {
            username: None,
            worker_id: None,
            tool: None,
            period: BudgetPeriod::Day,
            unit: BudgetUnit::Tokens,
            amount: 1_000_000,
        };
        let budget = coordinator.user("tom").client.create_budget(&wish).await?;
        let invitation = coordinator.user("ada").client.invite(&CreateInvitation::default()).await?;
        let narrow = key(&coordinator, "tom", &[Scope::WorkersRead]).await?;
        let wide = key(&coordinator, "tom", &Scope::ALL).await?;
        let expired = expired_key(&coordinator, "tom").await?;
        let tom = &coordinator.user("tom").client;
        let wish = CreateKey {
            kind: KeyKind::Api,
            name: "old".to_owned(),
            scopes: Some(Scope::ALL.to_vec()),
            uses: None,
            hours: None,
        };
        let old = tom.create_key(&wish).await?;
        tom.revoke_key(old.key.key_id).await?;
        Ok(Self { coordinator, attic, cellar, task, budget, invitation, narrow, wide, expired, revoked: old.secret })
    }

    pub(crate) fn id(&self, name: &str) -> UserId {
        self.coordinator.user(name).user_id
    }

    pub(crate) fn token(&self, name: &str) -> &str {
        &self.coordinator.user(name).token
    }

    /// Some session of a person.
    pub(crate) async fn session(&self, name: &str) -> Result<TokenId> {
        let open: Vec<OpenSession> = self.coordinator.user(name).client.sessions().await?;
        Ok(open.first().context("nobody is signed in")?.session_id)
    }

    /// Sends a request with this credential; none sends none.
    pub(crate) async fn send(&self, credential: Option<&str>, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = match method {
            "get" => Method::GET,
            "post" => Method::POST,
            "put" => Method::PUT,
            "delete" => Method::DELETE,
            // No route has it, so a mistake in a test is seen.
            _ => Method::TRACE,
        };
        let mut request = self.coordinator.request(method, path);
        if let Some(credential) = credential {
            request = request.bearer(credential);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await
    }

    /// The status of what a person asks for.
    pub(crate) async fn ask(&self, name: &str, method: &str, path: &str, body: Option<Value>) -> u16 {
        let path = format!("/api/v1{path}");
        self.send(Some(self.token(name)), method, &path, body).await.status.as_u16()
    }

    /// Lets the attic come online by HTTP and ask for work.
    pub(crate) async fn attic_comes(&self) {
        let path = format!("/api/v1/workers/{}/heartbeat", self.attic.worker_id);
        let beat = json!({ "boot_id": "01890a5d-ac96-774b-bcce-b302099a8057", "capabilities": attic_capabilities() });
        self.send(Some(&self.attic.credential), "post", &path, Some(beat)).await.ok();
    }

    /// The number of the task that the attic gets, or none.
    pub(crate) async fn attic_pulls(&self) -> Option<i64> {
        let path = format!("/api/v1/workers/{}/pull-task", self.attic.worker_id);
        let answer: Value = self.send(Some(&self.attic.credential), "get", &path, None).await.json();
        answer["task"]["number"].as_i64()
    }
}

/// What a machine brings: it grants its `demo` to everybody with whom the coordinator shares it, and nothing else.
pub(crate) fn attic_capabilities() -> Capabilities {
    let mut brought = capabilities(2, &["demo", "command"]);
    let demo = brought.tools[0].name.clone();
    brought.grants = vec![ToolGrant { tool: demo, user_id: None, slots: None }];
    brought
}

pub(crate) async fn key(coordinator: &TestCoordinator, name: &str, scopes: &[Scope]) -> Result<String> {
    let wish = CreateKey {
        kind: KeyKind::Api,
        name: "script".to_owned(),
        scopes: Some(scopes.to_vec()),
        uses: None,
        hours: Some(1),
    };
    Ok(coordinator.user(name).client.create_key(&wish).await?.secret)
}

async fn enrol(coordinator: &TestCoordinator, owner: &str, machine: &str) -> Result<Machine> {
    let wish = CreateKey { kind: KeyKind::Worker, name: machine.to_owned(), scopes: None, uses: Some(1), hours: None };
    let key: CreatedKey = coordinator.user(owner).client.create_key(&wish).await?;
    let body = RegisterWorker {
        machine_id: format!("machine-{machine}"),
        machine_name: machine.to_owned(),
        capabilities: attic_capabilities(),
    };
    let answer = coordinator.post("/api/v1/workers/register").bearer(&key.secret).json(&body).send().await;
    let RegisteredWorker { worker_id, credential } = answer.json();
    Ok(Machine { worker_id, credential })
}

/// A key whose time was over when it was made: the clock stands still for everything else.
async fn expired_key(coordinator: &TestCoordinator, name: &str) -> Result<String> {
    let state = coordinator.state();
    let secret = "gs_api_expired".to_owned();
    let user_id = coordinator.user(name).user_id;
    let key = NewKey {
        key_id: state.new_id(KeyId::new),
        kind: StoredKind::Api,
        user_id,
        name: "expired".to_owned(),
        hash: TokenHash::of(&secret),
        scopes: Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect(),
        uses: None,
        expires_at: Some(Timestamp::EPOCH),
        created_by: user_id,
    };
    state.stores.tokens.create_key(&key, &coordinator.audit("key_created")).await?;
    Ok(secret)
}
