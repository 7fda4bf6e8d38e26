//! [`Housekeeping`] in SQL: retention in transactions small enough that nobody waits for them.

use async_trait::async_trait;
use swarm_model::{TaskNumber, Timestamp};

use crate::audit::{AuditFilter, AuditRecord};
use crate::error::StoreError;
use crate::housekeeping::{Housekeeping, Retention, Swept};
use crate::sql::statement::{Statement, sql};
use crate::sql::tasks::{delete_logs, delete_tasks, move_live_from};
use crate::sql::value::{args, array};
use crate::sql::{SqlStore, audit};

const OLD_TASKS: Statement = sql!("retention/old_tasks");
const OLD_LOGS: Statement = sql!("retention/old_logs");
const MARK_SWEPT: Statement = sql!("retention/mark_swept");
const OLD_EVENTS: Statement = sql!("retention/events");
const OLD_AUDIT: Statement = sql!("retention/audit");
const OLD_TOKENS: Statement = sql!("retention/tokens");
const OLD_SPENT: Statement = sql!("retention/spent");
const OLD_INVITATIONS: Statement = sql!("retention/invitations");

/// Tasks in one transaction.
const TASKS_AT_ONCE: usize = 200;

/// Small rows in one transaction.
const ROWS_AT_ONCE: usize = 2_000;

#[async_trait]
impl Housekeeping for SqlStore {
    async fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Swept, StoreError> {
        move_live_from(&self.db).await?;
        let mut swept = Swept::default();
        self.sweep_tasks(&OLD_TASKS, now.minus(retention.tasks), Sweep::Tasks, &mut swept.tasks).await?;
        self.sweep_tasks(&OLD_LOGS, now.minus(retention.logs), Sweep::Logs, &mut swept.logs).await?;
        swept.events = self.sweep_rows(&OLD_EVENTS, now.minus(retention.events)).await?;
        swept.audit = self.sweep_rows(&OLD_AUDIT, now.minus(retention.audit)).await?;
        let ended = now.minus(retention.credentials);
        for statement in [&OLD_TOKENS, &OLD_SPENT, &OLD_INVITATIONS] {
            swept.credentials += self.sweep_rows(statement, ended).await?;
        }
        Ok(swept)
    }

    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
        audit::list(&self.db, filter).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.db.close().await
    }
}

/// What goes of tasks that ended long ago.
#[derive(Debug, Clone, Copy)]
enum Sweep {
    Tasks,
    Logs,
}

impl SqlStore {
    /// Walks over the tasks submitted before `cutoff` and sweeps those that ended before it.
    async fn sweep_tasks(
        &self,
        find: &Statement,
        cutoff: Timestamp,
        sweep: Sweep,
        swept: &mut u64,
    ) -> Result<(), StoreError> {
        let mut after = TaskNumber(0);
        loop {
            let rows = self.db.read(find, args![after, cutoff, TASKS_AT_ONCE]).await?;
            let mut ended = Vec::new();
            for row in &rows {
                let fields = row.of("tasks", "number");
                after = TaskNumber(fields.int("number")?);
                if fields.opt_time("completed_at")?.is_some_and(|at| at < cutoff) {
                    ended.push(after);
                }
            }
            if !ended.is_empty() {
                let mut tx = self.db.begin().await?;
                match sweep {
                    Sweep::Tasks => delete_tasks(&mut tx, &ended).await?,
                    Sweep::Logs => {
                        delete_logs(&mut tx, &ended).await?;
                        tx.execute(&MARK_SWEPT, vec![array(&ended)?]).await?;
                    }
                }
                tx.commit().await?;
                *swept += ended.len() as u64;
            }
            if rows.len() < TASKS_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn sweep_rows(&self, statement: &Statement, cutoff: Timestamp) -> Result<u64, StoreError> {
        let mut swept = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let removed = tx.execute(statement, args![cutoff, ROWS_AT_ONCE]).await?;
            tx.commit().await?;
            swept += removed;
            if removed < ROWS_AT_ONCE as u64 {
                return Ok(swept);
            }
        }
    }
}
