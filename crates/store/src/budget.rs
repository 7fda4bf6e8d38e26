//! Budgets: set, changed and removed, each with its entry in the audit. They are read with the tasks that draw on them
//! ([`crate::TaskStore::budgets`]).

use async_trait::async_trait;
use swarm_model::BudgetId;
use swarm_model::budget::Budget;

use crate::audit::AuditEntry;
use crate::error::StoreError;

/// Where budgets are kept.
#[async_trait]
pub trait BudgetStore: Send + Sync + std::fmt::Debug {
    /// Sets a new one.
    async fn create_budget(&self, budget: &Budget, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Gives one another amount.
    async fn change_budget(&self, budget: BudgetId, amount: u64, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Removes one.
    async fn remove_budget(&self, budget: BudgetId, audit: &AuditEntry) -> Result<(), StoreError>;
}
