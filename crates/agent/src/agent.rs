//! An agent from its data folder to its end: what it finds there, how it joins, how long it lives.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use swarm_client::Fingerprint;
use swarm_model::time::SystemClock;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::{Capabilities, Pauses, ProvenIsolation};
use swarm_model::{BootId, Clock as _, Isolation};
use swarm_tools::Registry;
use swarm_tools::isolation::measure;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::AgentConfig;
use crate::control::{self, AgentHandle, AgentStatus, Control, LinkStatus, socket, used_today};
use crate::core::Core;
use crate::disk::Storage;
use crate::durable;
use crate::enrol::Enrolment;
use crate::error::AgentError;
use crate::host::Host;
use crate::identity::Identity;
use crate::journal::{Recovered, recover};
use crate::ledger::Ledger;
use crate::machine::{Machine, as_allowed, host_name};
use crate::settings::{EditError, KeptKeys, Settings, SettingsError, SettingsOwner, keep_changes};

/// A headless worker that has looked at its data folder and not yet spoken to anybody.
#[derive(Debug)]
pub struct Agent {
    host: Arc<dyn Host>,
    config: AgentConfig,
    found: Found,
    registry: Registry,
    control: Control,
    handle: AgentHandle,
}

/// What is in the data folder.
#[derive(Debug)]
struct Found {
    settings: Settings,
    keys: KeptKeys,
    identity: Identity,
    ledger: Arc<Ledger>,
    storage: Arc<Storage>,
    recovered: Vec<Recovered>,
    /// Held for as long as the agent lives: the folder belongs to one.
    _lock: File,
}

impl Agent {
    /// Runs an agent until `shutdown`, or until its coordinator no longer wants it.
    pub async fn run(config: AgentConfig, host: Arc<dyn Host>, shutdown: CancellationToken) -> Result<(), AgentError> {
        Self::prepare(config, host).await?.serve(shutdown).await
    }

    /// Reads the data folder, and ends what an earlier process left running.
    pub async fn prepare(config: AgentConfig, host: Arc<dyn Host>) -> Result<Self, AgentError> {
        let registry = Registry::standard(&config.variables);
        let found = {
            let (config, host, registry) = (config.clone(), Arc::clone(&host), registry.clone());
            tokio::task::spawn_blocking(move || Found::look(&config, &*host, &registry))
                .await
                .map_err(|error| folder_error(Path::new("."), std::io::Error::other(error)))??
        };
        let joined = found.identity.joined.as_ref();
        let mut status = AgentStatus {
            name: String::new(),
            worker_id: joined.map(|joined| joined.worker_id),
            coordinator: joined.map(|joined| joined.coordinator.clone()),
            link: LinkStatus::Connecting,
            pauses: Pauses::default(),
            draining: false,
            slots: 0,
            running: Vec::new(),
            unacknowledged: found.recovered.len(),
            tools: Vec::new(),
            isolation: ProvenIsolation::default(),
            grants: Vec::new(),
            used_today: used_today(&found.ledger),
        };
        status.set_preferences(&found.settings);
        let status = watch::Sender::new(status);
        let (keys, settings) = (found.keys.clone(), found.settings.clone());
        let settings = SettingsOwner::new(Arc::clone(&host), registry.clone(), keys, settings, status.clone());
        let (ledger, storage) = (Arc::clone(&found.ledger), Arc::clone(&found.storage));
        let (handle, control) = control::channel(Arc::new(settings), ledger, storage, status);
        Ok(Self { host, config, found, registry, control, handle })
    }

    /// Sees and steers the agent while it lives.
    pub fn handle(&self) -> AgentHandle {
        self.handle.clone()
    }

    /// Which coordinator this machine joined, and the certificate that it pinned there.
    pub fn joined(&self) -> Option<(&str, Option<Fingerprint>)> {
        self.found.identity.joined.as_ref().map(|joined| (joined.coordinator.as_str(), joined.fingerprint))
    }

    /// The tools that are found here, as the settings allow them.
    pub async fn tools(&self) -> Vec<ToolInfo> {
        let settings = self.control.settings.current();
        as_allowed(&settings, self.registry.detect_all(&settings.of_tools()).await)
    }

    /// Joins where it must, and works until `shutdown`.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let Self { host, config, found, registry, control, handle } = self;
        let Found { settings: _, keys: _, identity, ledger: _, storage: _, recovered, _lock } = found;
        let (status, over) = (control.status.clone(), CancellationToken::new());
        let served = Box::pin(serve(Arc::clone(&host), config, identity, recovered, registry, control, shutdown));
        // It can be steered before it has joined, and until its last run has ended.
        let steered = async {
            if let Some(listener) = socket::open(host.data_dir()) {
                socket::serve(listener, handle, over.clone()).await;
            }
        };
        let work = async {
            let served = served.await;
            status.send_modify(|status| status.link = LinkStatus::Stopped);
            over.cancel();
            served
        };
        let (served, ()) = tokio::join!(work, steered);
        served
    }
}

async fn serve(
    host: Arc<dyn Host>,
    config: AgentConfig,
    identity: Identity,
    recovered: Vec<Recovered>,
    registry: Registry,
    control: Control,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let mut enrolment = Enrolment::new(Arc::clone(&host), identity, &config)?;
    let settings = control.settings.current();
    let name = settings.name.clone().unwrap_or_else(host_name);
    let machine = Machine::new(settings.runs_dir(host.data_dir()));
    let confinement = settings.confinement(Isolation::Sandbox, host.data_dir());
    let guard = host.guard_binary();
    let of_tools = settings.of_tools();
    let (tools, isolation) =
        tokio::join!(registry.detect_all(&of_tools), measure(&guard, host.data_dir(), &confinement));
    let tools = as_allowed(&settings, tools);
    let capabilities = Capabilities { isolation, ..machine.capabilities(&settings, tools) };
    let status = control.status.clone();
    let says = |error: &swarm_client::ClientError| {
        status.send_modify(|status| status.link = LinkStatus::Waiting { reason: error.to_string() });
    };
    let joined = tokio::select! {
        joined = enrolment.client(&name, &capabilities, says) => joined?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let mut client = joined;
    let boot_id = BootId::generate(&SystemClock);
    let mut core = Core::new(host, registry, machine, capabilities, boot_id, recovered, control, config.drain);
    loop {
        core.set_joined(client.worker_id(), enrolment.address());
        let Err(refusal) = core.live(client, &shutdown).await else { return Ok(()) };
        if !enrolment.has_key() {
            core.abandon().await;
            return Err(enrolment.refused_for_good(refusal));
        }
        tracing::warn!(error = %refusal, "the credential was refused; joining anew with the key");
        let rejoined = tokio::select! {
            rejoined = enrolment.join(&name, core.capabilities(), says) => rejoined,
            () = shutdown.cancelled() => {
                core.abandon().await;
                return Ok(());
            }
        };
        client = match rejoined {
            Ok(client) => client,
            Err(error) => {
                core.abandon().await;
                return Err(error);
            }
        };
    }
}

impl Found {
    /// Blocks.
    fn look(config: &AgentConfig, host: &dyn Host, registry: &Registry) -> Result<Self, AgentError> {
        let data_dir = host.data_dir();
        durable::make_private_dir(data_dir).map_err(|error| folder_error(data_dir, error))?;
        let lock = lock(data_dir)?;
        if let Some(unknown) = config.allow_tools.iter().find(|tool| registry.get(tool).is_none()) {
            return Err(AgentError::UnknownTool(unknown.clone()));
        }
        let mut settings = Settings::load_or_create(data_dir, registry.names())?;
        let before = settings.clone();
        if config.change(&mut settings) {
            keep_changes(data_dir, &before, &settings).map_err(|error| match error {
                EditError::Settings(error) => error,
                other => SettingsError::Unchangeable(Box::new(other)),
            })?;
        }
        let identity = Identity::load_or_create(data_dir)?;
        let runs_dir = settings.runs_dir(data_dir);
        durable::make_private_dir(&runs_dir).map_err(|error| folder_error(&runs_dir, error))?;
        let ledger = Ledger::open(data_dir).map_err(|error| folder_error(data_dir, error))?;
        let now = SystemClock.now();
        let storage = Storage::new(data_dir, runs_dir);
        let (runs_dir, mirrors) = (storage.runs_dir(), storage.mirrors());
        let recovered = recover(runs_dir, mirrors, &ledger, now).map_err(|error| folder_error(runs_dir, error))?;
        // What a git of an earlier process held is free: those processes are gone by now.
        if let Err(error) = mirrors.mend() {
            tracing::warn!(%error, "a mirror of a repository cannot be mended");
        }
        let in_hand = recovered.iter().map(|recovered| recovered.assignment.attempt_ref()).collect();
        if let Err(error) = ledger.prune(&in_hand, now) {
            tracing::warn!(%error, "what others used on earlier days cannot be forgotten");
        }
        let keys = KeptKeys::read(host, registry.names());
        let (ledger, storage) = (Arc::new(ledger), Arc::new(storage));
        Ok(Self { settings, keys, identity, ledger, storage, recovered, _lock: lock })
    }
}

fn lock(data_dir: &Path) -> Result<File, AgentError> {
    let path = data_dir.join("agent.lock");
    let file = File::create(&path).map_err(|error| folder_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(folder_error(&path, error)),
    }
}

fn folder_error(path: &Path, source: std::io::Error) -> AgentError {
    AgentError::Folder { path: path.to_owned(), source }
}
