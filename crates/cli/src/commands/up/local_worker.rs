//! The worker of `up`: it lives in the coordinator's process and talks to it over loopback like any other.
//!
//! It enrols itself with a key that the coordinator draws for it. A person may remove it: then it stays away
//! until `up` starts anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use swarm_agent::{Agent, AgentConfig, AgentError, Host, Key, LinkStatus};
use swarm_client::Address;
use swarm_model::{ToolName, UserId};
use swarm_server::AppState;
use swarm_tools::{GuardBinary, Variables};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, with_causes};
use crate::kept::KeptHost;
use crate::output::Output;
use crate::readable::plain;
use crate::vault::Vault;

/// How long runs may go on after `up` was told to stop.
const DRAIN: Duration = Duration::from_mins(10);

/// What the local worker is made of.
#[derive(Debug)]
pub(super) struct LocalWorker {
    pub(super) state: AppState,
    pub(super) owner: UserId,
    pub(super) address: Address,
    pub(super) data_dir: PathBuf,
    pub(super) vault: Vault,
    pub(super) output: Output,
}

impl LocalWorker {
    /// Works until `shutdown`. Its end is no end of the coordinator: it is told, and people may mend it.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        if let Err(failure) = Box::pin(self.work(shutdown)).await {
            failure.report();
            self.output
                .remark("the local worker has stopped; the coordinator goes on. `garageswarm doctor` looks into it");
        }
    }

    async fn work(&self, shutdown: CancellationToken) -> Result<(), Failure> {
        let host = self.host(false)?;
        let mut config = AgentConfig {
            same_coordinator: true,
            drain: DRAIN,
            variables: Variables::of_process(),
            ..AgentConfig::new(self.address.clone())
        };
        if !self.data_dir.join("worker.toml").exists() {
            // On for the first start; afterwards the owner's settings stand.
            config.allow_tools = vec![ToolName::COMMAND.parse().map_err(Failure::fault)?];
        }
        let mut agent = Agent::prepare(config.clone(), Arc::clone(&host)).await.map_err(refused)?;
        if agent.handle().status().worker_id.is_none() {
            drop(agent);
            agent = Agent::prepare(self.with_key(&config).await?, Arc::clone(&host)).await.map_err(refused)?;
        }
        match self.serve(agent, &shutdown).await {
            // Known by another store than this one, as after a restore: it joins anew.
            // The same where its credential is in a keychain that does not give it out.
            Err((AgentError::CredentialRefused { .. } | AgentError::NoKey { .. } | AgentError::Host(_), false)) => {
                let agent = Agent::prepare(self.with_key(&config).await?, self.host(true)?).await.map_err(refused)?;
                self.serve(agent, &shutdown).await.map_err(|(error, _)| refused(error))
            }
            served => served.map_err(|(error, _)| refused(error)),
        }
    }

    fn host(&self, has_key: bool) -> Result<Arc<dyn Host>, Failure> {
        let guard = GuardBinary::current()?;
        Ok(Arc::new(KeptHost::new(self.data_dir.clone(), guard, self.vault, self.output).with_key(has_key)))
    }

    async fn with_key(&self, config: &AgentConfig) -> Result<AgentConfig, Failure> {
        let key = self.state.create_local_worker_key(self.owner).await.map_err(Failure::fault)?;
        Ok(AgentConfig { key: Some(Key::new(key)), ..config.clone() })
    }

    /// Lets it work, and tells when it is connected. A failure says whether it ever was.
    async fn serve(&self, agent: Agent, shutdown: &CancellationToken) -> Result<(), (AgentError, bool)> {
        let mut status = agent.handle().watch();
        let serving = agent.serve(shutdown.clone());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(|error| (error, false)),
            connected = status.wait_for(|status| status.link == LinkStatus::Connected) => {
                if let Ok(status) = connected {
                    let ready: Vec<_> = status.tools.iter().filter(|tool| tool.health.is_ready()).map(|tool| tool.name.as_str()).collect();
                    self.output.remark(&format!("{} works here with: {}", plain(&status.name), ready.join(", ")));
                }
            }
        }
        serving.await.map_err(|error| (error, true))
    }
}

fn refused(error: AgentError) -> Failure {
    Failure::new(crate::failure::Exit::Fault, format!("the local worker cannot work: {}", with_causes(&error)))
}
