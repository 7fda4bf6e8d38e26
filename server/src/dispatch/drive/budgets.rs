//! Budgets with what of each is used, as the store sums it up.

use swarm_engine::StandingBudget;
use swarm_model::Timestamp;
use swarm_model::budget::{Budget, BudgetOf};
use swarm_model::day::Day;
use swarm_model::usage::UsageSums;
use swarm_store::{StoreError, TaskStore, UsageFilter};

/// Every budget, with what the sums of days say of it.
pub(super) async fn standing(store: &dyn TaskStore, now: Timestamp) -> Result<Vec<StandingBudget>, StoreError> {
    let mut standing = Vec::new();
    for budget in store.budgets().await? {
        let since = budget.period.since(now);
        let used = used(store, &budget, since, Day::of(now)).await?;
        standing.push(StandingBudget { budget, used, since });
    }
    Ok(standing)
}

async fn used(store: &dyn TaskStore, budget: &Budget, since: Day, today: Day) -> Result<u64, StoreError> {
    let mut filter = UsageFilter { tool: budget.tool.clone(), ..UsageFilter::of_days(since, today) };
    match budget.of {
        BudgetOf::User(user) => filter.user = Some(user),
        BudgetOf::Worker(worker) => filter.worker = Some(worker),
    }
    let mut sums = UsageSums::default();
    for row in store.usage(&filter).await? {
        sums += row.sums;
    }
    Ok(budget.unit.part_of_sums(&sums))
}
