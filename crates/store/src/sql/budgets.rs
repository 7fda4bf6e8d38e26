//! [`BudgetStore`] in SQL.

use async_trait::async_trait;
use swarm_model::budget::{Budget, BudgetOf};
use swarm_model::{BudgetId, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::budget::BudgetStore;
use crate::error::StoreError;
use crate::sql::database::Database;
use crate::sql::row::Row;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{Value, args};
use crate::sql::{SqlStore, audit};

const ALL: Statement = sql!("budgets/all");
const INSERT: Statement = sql!("budgets/insert");
const CHANGE: Statement = sql!("budgets/change");
const REMOVE: Statement = sql!("budgets/remove");

#[async_trait]
impl BudgetStore for SqlStore {
    async fn create_budget(&self, budget: &Budget, audit: &AuditEntry) -> Result<(), StoreError> {
        let (user, worker) = match budget.of {
            BudgetOf::User(user) => (Some(user), None),
            BudgetOf::Worker(worker) => (None, Some(worker)),
        };
        let values = args![
            budget.budget_id,
            user,
            worker,
            budget.tool.as_ref(),
            budget.period.as_str(),
            budget.unit.as_str(),
            budget.amount,
            budget.created_by,
            budget.created_at,
        ];
        self.write_audited(&INSERT, values, audit).await
    }

    async fn change_budget(&self, budget: BudgetId, amount: u64, audit: &AuditEntry) -> Result<(), StoreError> {
        self.write_audited(&CHANGE, args![budget, amount], audit).await
    }

    async fn remove_budget(&self, budget: BudgetId, audit: &AuditEntry) -> Result<(), StoreError> {
        self.write_audited(&REMOVE, args![budget], audit).await
    }
}

impl SqlStore {
    async fn write_audited(
        &self,
        statement: &Statement,
        values: Vec<Value>,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(statement, values).await? == 0 {
            return Err(StoreError::not_found("budget"));
        }
        audit::write(&mut tx, audit).await?;
        tx.commit().await
    }
}

pub(super) async fn all(db: &Database) -> Result<Vec<Budget>, StoreError> {
    db.read(&ALL, Vec::new()).await?.iter().map(budget).collect()
}

fn budget(row: &Row) -> Result<Budget, StoreError> {
    let fields = row.of("budgets", "budget_id");
    let of = match (fields.opt_parsed::<UserId>("user_id")?, fields.opt_parsed::<WorkerId>("worker_id")?) {
        (Some(user), None) => BudgetOf::User(user),
        (None, Some(worker)) => BudgetOf::Worker(worker),
        _ => return Err(fields.corrupt("user_id", "a budget is of a person or of a worker")),
    };
    Ok(Budget {
        budget_id: fields.parsed("budget_id")?,
        of,
        tool: fields.opt_parsed("tool")?,
        period: fields.name("period")?,
        unit: fields.name("unit")?,
        amount: fields.count("amount")?,
        created_by: fields.parsed("created_by")?,
        created_at: fields.time("created_at")?,
    })
}
