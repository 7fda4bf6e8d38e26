//! How a machine joins a coordinator, and finds it again.
//!
//! A key is used where there is no credential, or where the one there is was refused. A machine never moves
//! to another coordinator without a key of that one.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use swarm_client::{Address, ClientError, Coordinator, WorkerClient};
use swarm_model::worker::Capabilities;
use swarm_proto::ErrorCode;
use swarm_proto::workers::RegisterWorker;

use crate::aside;
use crate::config::{AgentConfig, Key};
use crate::error::AgentError;
use crate::host::{Host, HostError};
use crate::identity::{Identity, Joined};

/// The name under which the host keeps the credential.
const CREDENTIAL: &str = "worker-credential";

/// Who this machine is to its coordinator.
#[derive(Debug)]
pub(crate) struct Enrolment {
    host: Arc<dyn Host>,
    identity: Identity,
    coordinator: Coordinator,
    key: Option<Key>,
}

impl Enrolment {
    /// Finds out which coordinator is meant. Sends nothing.
    pub(crate) fn new(host: Arc<dyn Host>, identity: Identity, config: &AgentConfig) -> Result<Self, AgentError> {
        let unusable = |coordinator: &str, source: ClientError| AgentError::Coordinator {
            coordinator: coordinator.to_owned(),
            source: Box::new(source),
        };
        let joined = identity.joined.as_ref();
        let is_same = joined.is_some_and(|joined| is_same(joined, config));
        let (address, pin) = match (&config.coordinator, joined) {
            (Some(asked), Some(joined)) => {
                if !is_same && config.key.is_none() {
                    let joined = joined.coordinator.clone();
                    return Err(AgentError::OtherCoordinator { joined, asked: asked.to_string() });
                }
                (asked.clone(), config.fingerprint.or(joined.fingerprint.filter(|_| is_same)))
            }
            (Some(asked), None) => (asked.clone(), config.fingerprint),
            (None, Some(joined)) => {
                let address = joined.coordinator.parse::<Address>();
                let address = address.map_err(|error| unusable(&joined.coordinator, error.into()))?;
                (address, joined.fingerprint)
            }
            (None, None) => return Err(AgentError::NoCoordinator),
        };
        let coordinator =
            Coordinator::trusted(address.clone(), pin).map_err(|source| unusable(&address.to_string(), source))?;
        let mut enrolment = Self { host, identity, coordinator, key: config.key.clone() };
        match &mut enrolment.identity.joined {
            Some(joined) if is_same && joined.coordinator != address.to_string() => {
                joined.coordinator = address.to_string();
                enrolment.identity.save(enrolment.host.data_dir())?;
            }
            // Its credential is worth nothing there. It goes only once the other one has taken us.
            joined if !is_same => *joined = None,
            _ => {}
        }
        Ok(enrolment)
    }

    /// The coordinator's address.
    pub(crate) fn address(&self) -> String {
        self.coordinator.address().to_string()
    }

    /// Acts as the worker that this machine is; joins first where it must. `says` hears why that takes long.
    pub(crate) async fn client(
        &mut self,
        name: &str,
        capabilities: &Capabilities,
        says: impl FnMut(&ClientError),
    ) -> Result<WorkerClient, AgentError> {
        if let Some(joined) = &self.identity.joined
            && let Some(credential) = self.on_host(|host| host.secret(CREDENTIAL)).await?
        {
            return Ok(self.coordinator.worker(joined.worker_id, &credential));
        }
        self.join(name, capabilities, says).await
    }

    /// Whether a refused credential can be mended by the key, which is then used once.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Joins with the key. Tries again for as long as nobody answers.
    pub(crate) async fn join(
        &mut self,
        name: &str,
        capabilities: &Capabilities,
        mut says: impl FnMut(&ClientError),
    ) -> Result<WorkerClient, AgentError> {
        let Some(key) = self.key.take() else { return Err(AgentError::NoKey { coordinator: self.address() }) };
        let worker = RegisterWorker {
            machine_id: self.identity.machine_id.clone(),
            machine_name: name.to_owned(),
            capabilities: capabilities.clone(),
        };
        let builder =
            ExponentialBuilder::new().with_max_delay(Duration::from_secs(5)).without_max_times().with_jitter();
        let mut pauses = builder.with_min_delay(Duration::from_millis(200)).build();
        let (client, registered) = loop {
            let enrol = {
                let (coordinator, key, worker) = (self.coordinator.clone(), key.clone(), worker.clone());
                move || async move { coordinator.enrol(key.as_str(), &worker).await }
            };
            match aside::run(enrol).await.map_err(|error| HostError::new(CREDENTIAL, error))? {
                Ok(enrolled) => break enrolled,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the coordinator cannot be joined yet; trying again");
                    says(&error);
                }
                Err(source) => return Err(self.refused(source)),
            }
            tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(5))).await;
        };
        self.on_host(move |host| host.set_secret(CREDENTIAL, &registered.credential)).await?;
        self.identity.joined = Some(Joined {
            coordinator: self.address(),
            fingerprint: self.coordinator.pin(),
            worker_id: registered.worker_id,
        });
        self.identity.save(self.host.data_dir())?;
        tracing::info!(worker_id = %registered.worker_id, coordinator = self.address(), "joined");
        Ok(client)
    }

    /// The end of a worker whose credential is refused. It is not forgotten: a coordinator that was restored
    /// from a backup may know it again.
    pub(crate) fn refused_for_good(&self, source: ClientError) -> AgentError {
        let (coordinator, code, source) = (self.address(), source.code(), Box::new(source));
        match code {
            Some(ErrorCode::UnsupportedProtocol) => AgentError::Coordinator { coordinator, source },
            _ => AgentError::CredentialRefused { coordinator, source },
        }
    }

    fn refused(&self, source: ClientError) -> AgentError {
        let (coordinator, code, source) = (self.address(), source.code(), Box::new(source));
        match code {
            Some(ErrorCode::Unauthenticated | ErrorCode::SpentCredential | ErrorCode::Forbidden) => {
                AgentError::KeyRefused { coordinator, source }
            }
            _ => AgentError::Coordinator { coordinator, source },
        }
    }

    /// A keychain may block, and ask its owner.
    async fn on_host<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Host) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, AgentError> {
        let host = Arc::clone(&self.host);
        let asked = tokio::task::spawn_blocking(move || ask(&*host)).await;
        Ok(asked.map_err(|error| HostError::new(CREDENTIAL, error))??)
    }
}

/// Whether the settings mean the coordinator that this machine joined. Where there is a pin, it decides, whatever
/// the address.
fn is_same(joined: &Joined, config: &AgentConfig) -> bool {
    let Some(asked) = &config.coordinator else { return true };
    config.same_coordinator
        || match (config.fingerprint, joined.fingerprint) {
            (Some(asked), pinned) if pinned.is_some() => pinned == Some(asked),
            _ => asked.to_string() == joined.coordinator,
        }
}
