use swarm_model::BudgetId;
use swarm_model::budget::{Budget, BudgetOf, BudgetPeriod, BudgetUnit};

use super::HasStores;
use crate::audit::AuditFilter;
use crate::error::StoreError;
use crate::tests::story::{START, demo, entry, user, uuid, worker};

fn budget(n: u128, of: BudgetOf, period: BudgetPeriod, unit: BudgetUnit) -> Budget {
    Budget {
        budget_id: BudgetId::from_uuid(uuid(9, n)),
        of,
        tool: None,
        period,
        unit,
        amount: 1_000,
        created_by: user(1),
        created_at: START,
    }
}

pub(crate) async fn budgets_are_set_changed_and_removed(backend: &impl HasStores) {
    let (budgets, tasks) = (&backend.stores().budgets, &backend.stores().tasks);
    assert_eq!(tasks.budgets().await.unwrap(), []);
    let mut mine = budget(1, BudgetOf::User(user(1)), BudgetPeriod::Day, BudgetUnit::Tokens);
    let theirs = Budget {
        tool: Some(demo()),
        amount: u64::from(u32::MAX) * 3,
        ..budget(2, BudgetOf::Worker(worker(1)), BudgetPeriod::Total, BudgetUnit::Microusd)
    };
    let third = budget(3, BudgetOf::User(user(2)), BudgetPeriod::Month, BudgetUnit::Microusd);
    for budget in [&mine, &theirs, &third] {
        budgets.create_budget(budget, &entry("budget_set")).await.unwrap();
    }
    assert_eq!(tasks.budgets().await.unwrap(), [mine.clone(), theirs.clone(), third.clone()]);
    mine.amount = 2_000;
    budgets.change_budget(mine.budget_id, 2_000, &entry("budget_changed")).await.unwrap();
    budgets.remove_budget(third.budget_id, &entry("budget_removed")).await.unwrap();
    assert_eq!(tasks.budgets().await.unwrap(), [mine, theirs]);
    let gone = budgets.change_budget(third.budget_id, 5, &entry("budget_changed")).await;
    assert!(matches!(gone, Err(StoreError::NotFound { entity: "budget" })), "{gone:?}");
    let gone = budgets.remove_budget(third.budget_id, &entry("budget_removed")).await;
    assert!(matches!(gone, Err(StoreError::NotFound { entity: "budget" })), "{gone:?}");
    let log =
        backend.stores().housekeeping.audit_log(&AuditFilter { limit: 9, ..AuditFilter::default() }).await.unwrap();
    let actions: Vec<&str> = log.iter().map(|record| record.entry.action.as_str()).collect();
    assert_eq!(actions, ["budget_removed", "budget_changed", "budget_set", "budget_set", "budget_set"]);
}
