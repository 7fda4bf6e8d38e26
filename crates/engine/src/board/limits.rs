//! What a run finds out about its account, and what that means for everything else that uses it.

use std::time::Duration;

use swarm_model::change::{AccountLimit, LimitChange};
use swarm_model::failure::{Remedy, When};
use swarm_model::task::RunRecord;
use swarm_model::tool::Account;
use swarm_model::{FailureClass, TaskNumber, Timestamp, ToolName, WorkerId};

use super::Board;
use super::time::Timer;
use crate::fleet::Fleet;
use crate::limits::Probe;

/// A provider whose clock is a little behind names times that are over. It is asked again after this.
const SHORTEST: Duration = Duration::from_secs(30);

/// What is kept of the provider's words.
const MAX_DETAIL: usize = 200;

/// When a limit is taken to be over: at the time that the provider named, or `unnamed` from now.
pub(super) fn limit_end(named: Option<Timestamp>, unnamed: Duration, now: Timestamp) -> Timestamp {
    match named {
        Some(named) if named > now => named,
        Some(_) => now + SHORTEST.min(unnamed),
        None => now + unnamed,
    }
}

impl Board {
    /// Takes up the limits that stood when the coordinator ended.
    pub fn restore_limits(&mut self, limits: impl IntoIterator<Item = AccountLimit>, now: Timestamp) {
        for limit in limits {
            self.timers.insert((limit.until, Timer::Limit));
            self.fleet.limits_mut().hit(limit);
        }
        self.fleet.limits_mut().open_due(now);
    }

    /// Every limit that holds something up, or did when it was looked at last.
    pub fn limits(&self) -> Vec<AccountLimit> {
        self.fleet.limits().iter().cloned().collect()
    }

    pub(super) fn enter_limit(&mut self, worker: WorkerId, tool: &ToolName, probe: Probe) {
        if !self.fleet.limits().is_empty() {
            let account = self.fleet.account_of(worker, tool);
            self.fleet.limits_mut().enter(account.as_ref(), probe);
        }
    }

    /// The provider answered this attempt.
    pub(super) fn end_limit(&mut self, probe: Probe) {
        if let Some(account_id) = self.fleet.limits_mut().answered(probe) {
            self.dirty.limit(LimitChange::Over { account_id });
        }
    }

    /// Whose allowance a run used. What it says itself counts before what it was given.
    pub(super) fn account_used(&self, worker: WorkerId, number: TaskNumber, record: &RunRecord) -> Option<Account> {
        let given = self.tasks.get(&number)?.tool.as_ref();
        self.fleet.account_of(worker, record.tool.as_ref().or(given)?)
    }

    /// An account is at a limit; gives until when.
    pub(super) fn hit_limit(
        &mut self,
        account: Account,
        class: FailureClass,
        error: &str,
        named: Option<Timestamp>,
        now: Timestamp,
    ) -> Timestamp {
        let unnamed = match class.remedy() {
            Remedy::Retry { when: When::AtReset(unnamed), .. } => unnamed,
            Remedy::Retry { when: When::AfterBackoff, .. } | Remedy::None => SHORTEST,
        };
        let detail = error.chars().take(MAX_DETAIL).collect();
        let until = limit_end(named, unnamed, now);
        let limit = self.fleet.limits_mut().hit(AccountLimit { account, class, detail, since: now, until });
        let until = limit.until;
        self.timers.insert((until, Timer::Limit));
        self.dirty.limit(LimitChange::Hit(limit));
        self.pass_over_limited(now);
        until
    }

    /// Whether a connected machine has what the task needs on an account that is at no limit.
    pub(super) fn has_open_way(&self, number: TaskNumber) -> bool {
        let Some(entry) = self.tasks.get(&number) else { return false };
        self.fleet.members().any(|member| {
            member.connected && Fleet::serves(member, &entry.class) && self.fleet.is_admitted(member, &entry.class)
        })
    }
}
