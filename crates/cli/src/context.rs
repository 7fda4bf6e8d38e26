//! What every command is given: how to print, which folders are ours, which coordinator is meant and as whom.

use swarm_client::{Address, Client, Coordinator, Fingerprint};
use swarm_model::time::SystemClock;
use swarm_model::{Clock as _, Timestamp};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::places::Places;
use crate::sign_ins::SignIns;
use crate::vault::Vault;

/// Where a coordinator is unless anybody says otherwise.
pub(crate) const USUAL_ADDRESS: &str = "http://127.0.0.1:8420";

/// The surroundings of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) places: Places,
    pub(crate) vault: Vault,
    clock: SystemClock,
    named: Option<Address>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        Ok(Self {
            output: Output::new(global.json),
            places: Places::find()?,
            vault: Vault::new(),
            clock: SystemClock,
            named: global.coordinator,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The coordinator that was named on the command line or in the environment.
    pub(crate) fn named(&self) -> Option<&Address> {
        self.named.as_ref()
    }

    pub(crate) fn sign_ins(&self) -> Result<SignIns, Failure> {
        SignIns::load(&self.places, self.vault)
    }

    /// The coordinator that is meant: the one that is named, else the one used last, else the usual one.
    pub(crate) fn coordinator(&self) -> Result<Coordinator, Failure> {
        let address = self.address()?;
        let pin = self.pin_of(&address)?;
        Ok(Coordinator::trusted(address, pin)?)
    }

    /// Where the coordinator is that is meant.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        match &self.named {
            Some(address) => Ok(address.clone()),
            None => match self.sign_ins()?.latest() {
                Some(sign_in) => Ok(sign_in.coordinator.clone()),
                None => USUAL_ADDRESS.parse().map_err(Failure::fault),
            },
        }
    }

    /// The certificate that was pinned at an address when somebody signed in there.
    pub(crate) fn pin_of(&self, address: &Address) -> Result<Option<Fingerprint>, Failure> {
        if !address.is_https() {
            return Ok(None);
        }
        Ok(self.sign_ins()?.at(address).and_then(|sign_in| sign_in.fingerprint))
    }

    /// The coordinator as the person who signed in, or as whom `GARAGESWARM_TOKEN` stands for.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let coordinator = self.coordinator()?;
        if let Some(token) = token_of_environment() {
            return Ok(coordinator.signed_in(token));
        }
        let sign_ins = self.sign_ins()?;
        if sign_ins.latest().is_none() && self.named.is_none() {
            return Err(Failure::new(Exit::NoAccess, "you are not signed in to any coordinator").advise(
                "start one here with `garageswarm up`, or sign in with `garageswarm login --coordinator URL`",
            ));
        }
        let sign_in =
            sign_ins.at(coordinator.address()).ok_or_else(|| Failure::not_signed_in(coordinator.address()))?;
        let token = sign_ins.token(sign_in)?.ok_or_else(|| Failure::not_signed_in(coordinator.address()))?;
        Ok(coordinator.signed_in(token))
    }
}

/// The token for programs.
pub(crate) fn token_of_environment() -> Option<String> {
    std::env::var("GARAGESWARM_TOKEN").ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty())
}
