//! Whether this machine takes an assignment, and what it offers to whom. The machine decides, not the coordinator:
//! what its owner has not allowed is refused here, whoever asks.

use std::collections::BTreeSet;

use swarm_model::isolation::demanded;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{RefusalReason, ToolGrant};
use swarm_model::{Isolation, Timestamp, ToolName, UserId};
use swarm_proto::worker::Assignment;

use crate::ledger::{DayUse, Used};
use crate::settings::{Grant, Grantee, Settings};

/// What the decision depends on beside the assignment.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) settings: &'a Settings,
    /// The tools as they were last found.
    pub(crate) tools: &'a [ToolInfo],
    /// Whether the agent is on its way out, or was told to finish.
    pub(crate) draining: bool,
    /// The runs that hold a slot.
    pub(crate) running: &'a [Running],
    /// What others used today, with what runs now.
    pub(crate) used: &'a DayUse,
    /// When the next day begins.
    pub(crate) day_ends: Timestamp,
    /// The level of isolation that this machine has proved.
    pub(crate) isolation: Isolation,
    /// Bytes free on the volume of the working folders, where that is known.
    pub(crate) free_disk: Option<u64>,
    /// Whether what the worker keeps takes all that its owner allows, also after a clean-up.
    pub(crate) is_over_quota: bool,
}

/// A run that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) tool: ToolName,
    pub(crate) user_id: UserId,
    pub(crate) by_owner: bool,
}

/// Takes or declines an assignment.
pub(crate) fn decide(assignment: &Assignment, situation: &Situation<'_>) -> Result<(), RefusalReason> {
    let Situation { settings, tools, draining, running, free_disk, is_over_quota, .. } = situation;
    if *draining {
        return Err(RefusalReason::Draining);
    }
    if settings.paused {
        return Err(RefusalReason::PausedByOwner);
    }
    let tool = &assignment.tool;
    if !settings.is_enabled(tool) {
        return Err(RefusalReason::ToolNotAllowed);
    }
    if !assignment.by_owner {
        admit(assignment, situation)?;
    }
    let (offered, demanded) = (situation.isolation, isolation_of(assignment, settings));
    if offered < demanded {
        return Err(RefusalReason::IsolationTooLow { offered, demanded });
    }
    let info = tools.iter().find(|info| info.name == *tool);
    match info.map(|info| &info.health) {
        Some(ToolHealth::Ready) => {}
        Some(ToolHealth::NotAllowed) => return Err(RefusalReason::ToolNotAllowed),
        Some(ToolHealth::NeedsLogin { fix }) => return Err(RefusalReason::ToolNeedsLogin { fix: fix.clone() }),
        Some(ToolHealth::Missing { fix }) => return Err(RefusalReason::ToolMissing { fix: fix.clone() }),
        None => {
            let fix = format!("this version of the worker has no tool \"{tool}\"; update it");
            return Err(RefusalReason::ToolMissing { fix });
        }
    }
    let n_alike = running.iter().filter(|run| run.tool == *tool).count();
    let max_alike = info.and_then(|info| info.max_concurrent);
    if running.len() >= settings.slots() as usize || max_alike.is_some_and(|max| n_alike >= max as usize) {
        return Err(RefusalReason::NoFreeSlot);
    }
    if *is_over_quota || free_disk.is_some_and(|free| free < settings.min_free_disk_mb * 1024 * 1024) {
        return Err(RefusalReason::DiskFull);
    }
    Ok(())
}

/// The level at which a run stands: what it demands, a sandbox where only some hosts may be reached, and what the owner
/// wants for tasks of their own. It is never lowered.
pub(crate) fn isolation_of(assignment: &Assignment, settings: &Settings) -> Isolation {
    let Assignment { tool, by_owner, isolation, network, .. } = assignment;
    let by_network = network.as_ref().map(|_| Isolation::Sandbox);
    let by_wish = settings.isolation.filter(|_| *by_owner);
    demanded(tool, (*isolation).max(by_network).max(by_wish), *by_owner)
}

/// What is asked of somebody who does not own the machine: a grant, and what is left of its bounds.
fn admit(assignment: &Assignment, situation: &Situation<'_>) -> Result<(), RefusalReason> {
    let (tool, user) = (&assignment.tool, assignment.user_id);
    let Some(grant) = situation.settings.grant_for(tool, user) else { return Err(RefusalReason::ToolNotAllowed) };
    if is_used_up(grant, situation.used.get(&(user, tool.clone())).copied().unwrap_or_default()) {
        return Err(RefusalReason::ShareUsedUp { until: situation.day_ends });
    }
    let is_theirs = |run: &&Running| !run.by_owner && run.user_id == user && run.tool == *tool;
    let n_theirs = situation.running.iter().filter(is_theirs).count();
    if grant.slots.is_some_and(|slots| n_theirs >= slots as usize) {
        return Err(RefusalReason::ShareSlotsTaken);
    }
    Ok(())
}

/// The grants that the coordinator is told: those of the settings. Whoever has used up theirs for today is named with
/// no slot at all: their tasks wait for tomorrow, and are told why.
pub(crate) fn offered(settings: &Settings, used: &DayUse) -> Vec<ToolGrant> {
    let of = |user: UserId, tool: &ToolName| used.get(&(user, tool.clone())).copied().unwrap_or_default();
    let told =
        |grant: &Grant| ToolGrant { tool: grant.tool.clone(), user_id: grant.user.user_id(), slots: grant.slots };
    let nothing = |user: UserId, tool: &ToolName| ToolGrant { tool: tool.clone(), user_id: Some(user), slots: Some(0) };
    let mut offered = Vec::new();
    for grant in &settings.grants {
        match grant.user {
            Grantee::User(user) if is_used_up(grant, of(user, &grant.tool)) => offered.push(nothing(user, &grant.tool)),
            Grantee::User(_) => offered.push(told(grant)),
            Grantee::Everyone => {
                offered.push(told(grant));
                let of_tool = used.keys().filter(|(_, tool)| *tool == grant.tool).map(|(user, _)| *user);
                let spent: BTreeSet<_> = of_tool
                    .filter(|user| {
                        let theirs = settings.grant_for(&grant.tool, *user);
                        let by_this = theirs.filter(|theirs| theirs.user == Grantee::Everyone);
                        by_this.is_some_and(|theirs| is_used_up(theirs, of(*user, &grant.tool)))
                    })
                    .collect();
                offered.extend(spent.into_iter().map(|user| nothing(user, &grant.tool)));
            }
        }
    }
    offered
}

fn is_used_up(grant: &Grant, used: Used) -> bool {
    grant.runs_per_day.is_some_and(|runs| used.runs >= runs)
        || grant.cost_per_day_usd.is_some_and(|cost| used.cost_microusd >= cost.as_micros())
}

#[cfg(test)]
mod tests;
