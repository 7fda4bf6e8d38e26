//! A whole coordinator for a test, put together by a builder.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::http::Method;
use swarm_client::{Address, Client, Coordinator as Remote, WorkerClient};
use swarm_model::rights::InstanceRole;
use swarm_model::time::SystemClock;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{Capabilities, ProvenIsolation};
use swarm_model::{Clock, Isolation, TaskNumber, TaskStatus, UserId};
use swarm_proto::workers::RegisterWorker;
use swarm_server::setup::bootstrap_first_user;
use swarm_server::{AppState, Coordinator, Listeners, ServerConfig};
use swarm_store::people::NewUser;
use swarm_store::{AuditEntry, Holder, OpenOptions, Stores};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::usage::check_usage;
use crate::{FakeClock, TestRequest};

const AUDIT_PAGE: usize = 1000;

/// What a test wants.
#[derive(Debug, Default)]
pub struct Builder {
    config: ServerConfig,
    clock: FakeClock,
    users: Vec<String>,
    workers: Vec<(String, Capabilities)>,
    may_leave_leases: bool,
    with_tls: bool,
}

/// A person with a command line's token. The first one is the admin.
#[derive(Debug, Clone)]
pub struct TestUser {
    /// Who.
    pub user_id: UserId,
    /// Their token.
    pub token: String,
    /// What they do over the network.
    pub client: Client,
}

/// A coordinator that serves on a port of the system's choice. End it with [`TestCoordinator::finish`], which looks
/// at what it leaves behind.
#[derive(Debug)]
pub struct TestCoordinator {
    state: AppState,
    router: Router,
    clock: FakeClock,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    users: HashMap<String, TestUser>,
    workers: HashMap<String, WorkerClient>,
    shutdown: CancellationToken,
    serving: Option<JoinHandle<Result<(), swarm_server::StartError>>>,
    may_leave_leases: bool,
    _folder: TempDir,
}

impl Builder {
    /// With this person; the first one owns the instance.
    pub fn with_user(mut self, name: &str) -> Self {
        self.users.push(name.to_owned());
        self
    }

    /// With an enrolled worker of the first person, which has two slots and the tools `demo` and `command`.
    pub fn with_worker(self, name: &str) -> Self {
        self.with_capable_worker(name, capabilities(2, &["demo", "command"]))
    }

    /// With an enrolled worker of the first person that brings this.
    pub fn with_capable_worker(mut self, name: &str, capabilities: Capabilities) -> Self {
        self.workers.push((name.to_owned(), capabilities));
        self
    }

    /// With other settings.
    pub fn with_config(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// With a clock that the test has already.
    pub fn with_clock(mut self, clock: FakeClock) -> Self {
        self.clock = clock;
        self
    }

    /// With a TLS listener and a certificate of its own. Certificates are of a time, so the clock shows the real one.
    pub fn with_tls(mut self) -> Self {
        self.with_tls = true;
        self.clock.set(SystemClock.now());
        self
    }

    /// The test ends with tasks on workers, and means it.
    pub fn may_leave_leases(mut self) -> Self {
        self.may_leave_leases = true;
        self
    }

    /// Starts it.
    pub async fn build(mut self) -> Result<TestCoordinator> {
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        self.config.server.listen = address;
        self.config.storage.data_dir = folder.path().to_owned();
        let tls = if self.with_tls { Some(TcpListener::bind(("127.0.0.1", 0)).await?) } else { None };
        let tls_address = tls.as_ref().map(TcpListener::local_addr).transpose()?;
        self.config.server.tls_listen = tls_address;

        let holder = Holder::this_process("test", address.to_string());
        let options = OpenOptions::new(holder, self.config.blobs_dir());
        let stores = Stores::open(&self.config.database(), &options).await?;
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let coordinator = Coordinator::start(self.config, stores, clock).await?;
        let (state, router) = (coordinator.state().clone(), coordinator.router());
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(coordinator.serve(Listeners { plain: listener, tls }, shutdown.clone()));

        let mut test = TestCoordinator {
            state,
            router,
            clock: self.clock,
            address,
            tls_address,
            users: HashMap::new(),
            workers: HashMap::new(),
            shutdown,
            serving: Some(serving),
            may_leave_leases: self.may_leave_leases,
            _folder: folder,
        };
        for name in &self.users {
            test.add_user(name).await?;
        }
        for (name, capabilities) in self.workers {
            let owner = self.users.first().context("a worker needs an owner: with_user comes first")?;
            test.add_worker(owner, &name, capabilities).await?;
        }
        Ok(test)
    }
}

impl TestCoordinator {
    /// Says what the test wants.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// What the coordinator's handlers share.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The clock that it lives by.
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its pages.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It, over the network, as somebody who has not signed in.
    pub fn remote(&self) -> Result<Remote> {
        let address: Address = self.url().parse()?;
        Ok(Remote::at(address)?)
    }

    /// Where its TLS listener is.
    pub fn tls_address(&self) -> Result<SocketAddr> {
        self.tls_address.context("with_tls() makes one")
    }

    /// The same over TLS, by its fingerprint.
    pub fn pinned(&self) -> Result<Remote> {
        let address: Address = format!("https://{}", self.tls_address()?).parse()?;
        Ok(Remote::pinned(address, self.state.fingerprint().context("it has a certificate of its own")?)?)
    }

    /// A person of [`Builder::with_user`].
    ///
    /// # Panics
    /// Where there is none of this name.
    #[track_caller]
    pub fn user(&self, name: &str) -> &TestUser {
        self.users.get(name).unwrap_or_else(|| panic!("no with_user(\"{name}\")"))
    }

    /// A worker of [`Builder::with_worker`].
    ///
    /// # Panics
    /// Where there is none of this name.
    #[track_caller]
    pub fn worker(&self, name: &str) -> &WorkerClient {
        self.workers.get(name).unwrap_or_else(|| panic!("no with_worker(\"{name}\")"))
    }

    /// Adds a person with a command line's token.
    pub async fn add_user(&mut self, name: &str) -> Result<()> {
        let first = bootstrap_first_user(&self.state.stores, &self.clock, name).await?;
        let user_id = if first.is_new { first.user_id } else { self.add_member(name).await? };
        let token = self.state.issue_cli_token(user_id).await?;
        let client = self.remote()?.signed_in(token.clone());
        self.users.insert(name.to_owned(), TestUser { user_id, token, client });
        Ok(())
    }

    async fn add_member(&self, name: &str) -> Result<UserId> {
        let user_id = self.state.new_id(UserId::new);
        let role = InstanceRole::Member;
        let user = NewUser { user_id, username: name.to_owned(), email: None, password_hash: None, role };
        self.state.stores.people.create_user(&user, None, &self.audit("user_created")).await?;
        Ok(user_id)
    }

    /// Enrols a worker of `owner`, as a machine would.
    pub async fn add_worker(&mut self, owner: &str, name: &str, capabilities: Capabilities) -> Result<()> {
        let key = self.state.create_local_worker_key(self.user(owner).user_id).await?;
        let machine =
            RegisterWorker { machine_id: format!("machine-{name}"), machine_name: name.to_owned(), capabilities };
        let (worker, _) = self.remote()?.enrol(&key, &machine).await?;
        self.workers.insert(name.to_owned(), worker);
        Ok(())
    }

    /// An entry of the audit for what a test does behind the interface.
    pub fn audit(&self, action: &str) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            actor: "test".to_owned(),
            action: action.to_owned(),
            subject: "test".to_owned(),
            detail: None,
            from_address: None,
        }
    }

    /// A request in process.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::new(self.router.clone(), &self.address.to_string(), method, path)
    }

    /// A GET in process.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// A POST in process.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// Lets time pass, with the dispatcher looking at the clock every second of it.
    pub async fn advance(&self, span: Duration) -> Result<()> {
        let mut left = span;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(1));
            left -= step;
            self.jump(step).await?;
        }
        Ok(())
    }

    /// Sets the clock forward at once, as a machine does that slept.
    pub async fn jump(&self, span: Duration) -> Result<()> {
        self.clock.advance(span);
        Ok(self.state.dispatcher.tick().await?)
    }

    /// Ends the coordinator, after a look at what it leaves: every invariant holds, nobody holds a lease, and what was
    /// used is what the attempts say.
    pub async fn finish(mut self) -> Result<()> {
        let mut after = TaskNumber(0);
        loop {
            let tasks = self.state.stores.tasks.audit(after, AUDIT_PAGE).await?;
            let Some(last) = tasks.last() else { break };
            after = last.number;
            let violations = swarm_model::invariants::check_tasks(&tasks);
            ensure!(violations.is_empty(), "{violations:#?}");
            let holds_lease = |status| matches!(status, TaskStatus::Assigned | TaskStatus::Running);
            let leased: Vec<_> =
                tasks.iter().filter(|task| holds_lease(task.row.status)).map(|task| task.number).collect();
            ensure!(leased.is_empty() || self.may_leave_leases, "tasks are still on workers: {leased:?}");
        }
        if after > TaskNumber(0) {
            check_usage(&*self.state.stores.tasks).await?;
        }
        self.shutdown.cancel();
        let serving = self.serving.take().context("it was finished before")?;
        Ok(serving.await??)
    }
}

impl Drop for TestCoordinator {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let was_finished = self.serving.is_none();
        assert!(
            was_finished || std::thread::panicking(),
            "end a TestCoordinator with finish(), which looks at what it leaves"
        );
    }
}

/// What a machine of tests brings.
pub fn capabilities(slots: u32, tools: &[&str]) -> Capabilities {
    let tool = |name: &&str| ToolInfo {
        name: name.parse().expect("a test names a tool"),
        version: None,
        health: ToolHealth::Ready,
        models: Vec::new(),
        max_concurrent: None,
        account: None,
    };
    Capabilities {
        slots,
        tools: tools.iter().map(tool).collect(),
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        memory_mb: 8192,
        cpus: 4,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: std::collections::BTreeMap::default(),
        grants: Vec::new(),
        isolation: ProvenIsolation { level: Isolation::Sandbox, remarks: Vec::new() },
    }
}
