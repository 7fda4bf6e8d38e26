//! Budgets as they stand: how much of each is used, and which are used up.
//!
//! The sums are in memory. They begin with what the store summed up, and every run that ends adds to them; a claim
//! looks at those few that are used up. When a day or a month is over its budgets begin anew.

use swarm_model::budget::{Budget, BudgetOf, BudgetUnit, WARN_PERCENT};
use swarm_model::usage::{UsageKey, UsageSums};
use swarm_model::{BudgetId, Day, Timestamp, ToolName, UserId, WorkerId};

use crate::queue::ClassKey;

/// A budget and what of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingBudget {
    /// The budget.
    pub budget: Budget,
    /// What is used of it since its period began.
    pub used: u64,
    /// The first day of the period.
    pub since: Day,
}

impl StandingBudget {
    /// Whether nothing of it is left.
    pub fn is_spent(&self) -> bool {
        self.used >= self.budget.amount
    }

    /// Whether so much of it is used that people are told.
    pub fn is_warned(&self) -> bool {
        u128::from(self.used) * 100 >= u128::from(self.budget.amount) * u128::from(WARN_PERCENT)
    }

    /// That it is used up, for people.
    pub fn sentence(&self, now: Timestamp) -> String {
        self.budget.sentence(self.used, now)
    }
}

/// What a run may use at the most, and which budget says so; the task's own limit where none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) left: u64,
    pub(crate) by: Option<BudgetId>,
}

impl Bound {
    pub(crate) fn least(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|bound| bound.left)
    }
}

/// Something about a budget that people are told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crossed {
    pub(crate) budget: Budget,
    pub(crate) used: u64,
    pub(crate) is_spent: bool,
}

/// Every budget.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    standing: Vec<StandingBudget>,
    /// Places of those that are used up: a claim looks at these alone, and most often there is none.
    spent: Vec<usize>,
    /// Moves on with every change, so that whoever shows them need not compare.
    generation: u64,
}

impl Ledger {
    pub(crate) fn set(&mut self, standing: Vec<StandingBudget>) {
        self.standing = standing;
        self.changed();
    }

    fn changed(&mut self) {
        self.generation += 1;
        let places = self.standing.iter().enumerate().filter(|(_, it)| it.is_spent());
        self.spent = places.map(|(place, _)| place).collect();
    }

    fn spent(&self) -> impl Iterator<Item = &StandingBudget> {
        self.spent.iter().filter_map(|place| self.standing.get(*place))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn all(&self) -> &[StandingBudget] {
        &self.standing
    }

    pub(crate) fn get(&self, id: BudgetId) -> Option<&StandingBudget> {
        self.standing.iter().find(|it| it.budget.budget_id == id)
    }

    /// The next time at which one begins anew.
    pub(crate) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.standing.iter().filter_map(|it| it.budget.period.ends(now)).min()
    }

    /// Begins those anew whose period is over.
    pub(crate) fn roll(&mut self, now: Timestamp) {
        for it in &mut self.standing {
            let since = it.budget.period.since(now);
            // A clock that was set back does not begin an old period again.
            if since > it.since {
                (it.since, it.used) = (since, 0);
            }
        }
        self.changed();
    }

    /// A run ended; gives what people are told of.
    pub(crate) fn add(&mut self, key: &UsageKey, sums: &UsageSums) -> Vec<Crossed> {
        let (mut crossed, mut has_changed) = (Vec::new(), false);
        for it in &mut self.standing {
            let part = it.budget.unit.part_of_sums(sums);
            if part == 0 || key.day < it.since || !it.budget.counts(key.user_id, key.worker_id, &key.tool) {
                continue;
            }
            let before = (it.is_warned(), it.is_spent());
            it.used = it.used.saturating_add(part);
            has_changed = true;
            let after = (it.is_warned(), it.is_spent());
            if after != before {
                crossed.push(Crossed { budget: it.budget.clone(), used: it.used, is_spent: after.1 });
            }
        }
        if has_changed {
            self.changed();
        }
        crossed
    }

    /// The one that is used up and that a run would draw on.
    pub(crate) fn spent_for(&self, user: UserId, worker: WorkerId, tool: &ToolName) -> Option<&StandingBudget> {
        if is_free(Some(tool)) {
            return None;
        }
        self.spent().find(|it| it.budget.counts(user, worker, tool))
    }

    /// The one that is used up and that tasks of this class would draw on wherever they ran.
    pub(crate) fn bars(&self, key: &ClassKey) -> Option<&StandingBudget> {
        if is_free(key.tool.as_ref()) {
            return None;
        }
        self.spent().find(|it| {
            let is_theirs = match it.budget.of {
                BudgetOf::User(user) => user == key.user,
                BudgetOf::Worker(worker) => key.only() == Some(worker),
            };
            is_theirs && (it.budget.tool.is_none() || it.budget.tool == key.tool)
        })
    }

    /// What a run may use at the most.
    pub(crate) fn bound(&self, unit: BudgetUnit, user: UserId, worker: WorkerId, tool: &ToolName) -> Option<Bound> {
        if is_free(Some(tool)) {
            return None;
        }
        let drawn_on = self.standing.iter().filter(|it| it.budget.unit == unit && it.budget.counts(user, worker, tool));
        let bounds =
            drawn_on.map(|it| Bound { left: it.budget.amount.saturating_sub(it.used), by: Some(it.budget.budget_id) });
        bounds.min_by_key(|bound| bound.left)
    }
}

/// Plain commands use no model, so that they draw on no budget.
fn is_free(tool: Option<&ToolName>) -> bool {
    tool.is_some_and(|tool| tool.as_str() == ToolName::COMMAND)
}
