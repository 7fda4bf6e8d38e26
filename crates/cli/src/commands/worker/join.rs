//! `garageswarm worker run --join`: by a link to a coordinator, with the consent of who owns this machine.
//!
//! The coordinator is found and has proved that it is the one of the link before the code is sent, and the code
//! is sent only after somebody here said yes: by hand, or with `--yes` in a script.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::Args;
use swarm_agent::Agent;
use swarm_client::{Address, ClientError, Coordinator, Fingerprint};
use swarm_proto::JoinLink;

use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::output::table::Facts;
use crate::readable::{BOLD, DIM, plain, tool_state};

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Join by a link of `garageswarm worker invite`; `-` reads it from standard input.
    #[arg(long, value_name = "LINK", env = "GARAGESWARM_JOIN", hide_env_values = true, conflicts_with_all = ["key", "key_file"])]
    join: Option<String>,
    /// With --join: agree without being asked.
    #[arg(long, requires = "join")]
    yes: bool,
    /// With --join: leave the coordinator that this machine belongs to.
    #[arg(long, requires = "join")]
    replace: bool,
}

/// A coordinator that answered, and is the one of the link.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) address: Address,
    pub(super) fingerprint: Option<Fingerprint>,
}

impl JoinArgs {
    /// The link, where one was given.
    pub(super) fn link(&self, context: &Context) -> Result<Option<JoinLink>, Failure> {
        let Some(word) = &self.join else { return Ok(None) };
        if context.named().is_some() {
            return Err(Failure::usage("the link says where the coordinator is: leave out --coordinator"));
        }
        let mut text = word.clone();
        if word == "-" {
            text.clear();
            std::io::stdin().read_to_string(&mut text)?;
        }
        text.parse().map(Some).map_err(|error: swarm_proto::JoinLinkError| Failure::usage(error.to_string()))
    }

    /// Asks the owner of this machine, unless they agreed beforehand.
    pub(super) async fn consent(&self, found: &Found, agent: &Agent, context: &Context) -> Result<(), Failure> {
        if let Some((joined, _)) = agent.joined()
            && !self.replace
        {
            return Err(Failure::new(Exit::Refused, format!("this machine belongs to {} already", plain(joined)))
                .advise("to leave that one for the one of the link, add --replace"));
        }
        let said = self.words(found, agent).await;
        if self.yes {
            context.output.remark(&said);
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                "joining needs the consent of who owns this machine, and nobody can be asked here",
            )
            .advise("start it in a terminal, or agree beforehand with --yes"));
        }
        let mut stderr = anstream::stderr();
        write!(stderr, "{said}\n\nLet this coordinator run these tools on this machine? [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new(Exit::Refused, "not joined: nothing was sent"))
        }
    }

    /// Which coordinator it is, and what it will be allowed to run.
    async fn words(&self, found: &Found, agent: &Agent) -> String {
        let mut facts = Facts::default();
        facts.fact("coordinator", found.address.to_string()).maybe(
            "words",
            found.fingerprint.map(|fingerprint| {
                format!("{BOLD}{}{BOLD:#}\n{DIM}must be the same as beside the link{DIM:#}", fingerprint.words())
            }),
        );
        if let Some((joined, _)) = agent.joined() {
            facts.fact("leaves", plain(joined));
        }
        facts.fact("this machine", plain(&agent.handle().status().name));
        let tools: Vec<_> = agent
            .tools()
            .await
            .into_iter()
            .map(|tool| {
                let (state, _) = tool_state(&tool.health);
                let advice = if state == "not allowed" {
                    format!(" (--allow-tool {} allows it)", tool.name)
                } else {
                    String::new()
                };
                format!("{} {DIM}{state}{advice}{DIM:#}", tool.name)
            })
            .collect();
        facts.fact("tools", tools.join("\n"));
        facts.text()
    }
}

/// Whether the agent joined the coordinator of the link already.
pub(super) fn is_of(link: &JoinLink, agent: &Agent) -> bool {
    agent.joined().is_some_and(|(joined, pinned)| match link.fingerprint() {
        Some(fingerprint) => pinned == Some(fingerprint),
        None => pinned.is_none() && link.addresses().iter().any(|address| address.trim_end_matches('/') == joined),
    })
}

/// Finds the coordinator of the link: the first of its addresses at which it answers and proves who it is. The code
/// does not go along.
pub(super) async fn find(link: &JoinLink) -> Result<Found, Failure> {
    let mut reasons = Vec::new();
    let mut is_somebody_else = false;
    for address in link.addresses() {
        let address: Address = address.parse().map_err(Failure::fault)?;
        // Plain HTTP is of this machine alone, and has no certificate.
        let fingerprint = link.fingerprint().filter(|_| address.is_https());
        let knocked = match Coordinator::trusted(address.clone(), fingerprint) {
            Ok(coordinator) => coordinator.knock().await,
            Err(error) => Err(error),
        };
        match knocked {
            Ok(()) => return Ok(Found { address, fingerprint }),
            Err(error) => {
                is_somebody_else |=
                    matches!(error, ClientError::OtherCertificate { .. } | ClientError::Untrusted { .. });
                reasons.push(with_causes(&error));
            }
        }
    }
    let advice = if is_somebody_else {
        "make a new link with `garageswarm worker invite`; if this stays, somebody is in between"
    } else {
        "are both machines in the same network, and does a firewall let the port of the coordinator through?"
    };
    Err(Failure::new(Exit::NoAccess, format!("the coordinator of the link was not found: {}", reasons.join("; ")))
        .advise(advice))
}
