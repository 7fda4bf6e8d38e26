//! Limits of accounts: while one stands, whatever would hit it is held back.
//!
//! A limit belongs to an account with a provider, never to a task, and several machines may use one account. When
//! its time is over nobody knows whether the provider agrees, so one attempt goes ahead and the rest waits for
//! what becomes of it. Cost is a look into a map for each group of machines, however many tasks wait.

use std::collections::BTreeMap;

use swarm_model::change::AccountLimit;
use swarm_model::tool::Account;
use swarm_model::{TaskNumber, Timestamp};

/// An attempt that finds out whether a limit is over.
pub(crate) type Probe = (TaskNumber, u32);

/// How far a limit is from being over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Its time is not over.
    Shut,
    /// The next attempt may try.
    Ajar,
    /// One tries.
    Probed(Probe),
}

#[derive(Debug)]
struct Standing {
    limit: AccountLimit,
    gate: Gate,
}

/// Every limit that stands, by the account's id.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    standing: BTreeMap<String, Standing>,
}

impl Limits {
    /// Whether none stands, which is the usual case.
    pub(crate) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// Whether an attempt may use the account now.
    pub(crate) fn admits(&self, account: Option<&Account>) -> bool {
        account.and_then(|account| self.standing.get(&account.id)).is_none_or(|it| it.gate == Gate::Ajar)
    }

    /// The limit that holds up the account, if one does.
    pub(crate) fn of(&self, account: Option<&Account>) -> Option<&AccountLimit> {
        let standing = self.standing.get(&account?.id)?;
        (standing.gate != Gate::Ajar).then_some(&standing.limit)
    }

    /// Every limit, in the order of the accounts' ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AccountLimit> {
        self.standing.values().map(|standing| &standing.limit)
    }

    /// A limit was hit. Of two times the later one counts: windows of different length may be spent at once.
    pub(crate) fn hit(&mut self, mut limit: AccountLimit) -> AccountLimit {
        if let Some(standing) = self.standing.get(&limit.account.id)
            && standing.gate == Gate::Shut
            && standing.limit.until > limit.until
        {
            limit.until = standing.limit.until;
        }
        let standing = Standing { limit: limit.clone(), gate: Gate::Shut };
        self.standing.insert(limit.account.id.clone(), standing);
        limit
    }

    /// The time of whatever is due at `now` is over.
    pub(crate) fn open_due(&mut self, now: Timestamp) {
        for standing in self.standing.values_mut() {
            if standing.gate == Gate::Shut && standing.limit.until <= now {
                standing.gate = Gate::Ajar;
            }
        }
    }

    /// An attempt begins to use the account; the first one behind a limit finds out.
    pub(crate) fn enter(&mut self, account: Option<&Account>, probe: Probe) {
        if let Some(standing) = account.and_then(|account| self.standing.get_mut(&account.id))
            && standing.gate == Gate::Ajar
        {
            standing.gate = Gate::Probed(probe);
        }
    }

    /// The provider answered this attempt: the limit that it probed is over. Gives the account's id.
    pub(crate) fn answered(&mut self, probe: Probe) -> Option<String> {
        let id = self.probed_by(probe)?;
        self.standing.remove(&id);
        Some(id)
    }

    /// The attempt ended without having found out: the next one may try.
    pub(crate) fn left(&mut self, probe: Probe) {
        if let Some(standing) = self.probed_by(probe).and_then(|id| self.standing.get_mut(&id)) {
            standing.gate = Gate::Ajar;
        }
    }

    fn probed_by(&self, probe: Probe) -> Option<String> {
        let is_it = |standing: &&Standing| standing.gate == Gate::Probed(probe);
        self.standing.values().find(is_it).map(|standing| standing.limit.account.id.clone())
    }
}
