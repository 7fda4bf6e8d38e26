//! [`TaskStore`] in SQL.

mod commit;
mod late;
mod log;
mod read;
mod spec;

use async_trait::async_trait;
use swarm_model::budget::Budget;
use swarm_model::change::{AccountLimit, Changes, EventRecord, LiveTask};
use swarm_model::invariants::AuditedTask;
use swarm_model::{EventId, TaskNumber, TaskRef, UserId, WorkerId};

use crate::audit::AuditEntry;
use crate::error::{Conflict, StoreError};
use crate::sql::database::{Database, Transaction};
use crate::sql::statement::{Statement, sql};
use crate::sql::usage;
use crate::sql::value::{args, array};
use crate::sql::{SqlStore, budgets};
use crate::task::{
    AttemptOnWorker, Counters, EventScope, LogPage, StoredAttempt, StoredTask, TaskCounts, TaskFilter, TaskStore,
    TaskSummary,
};
use crate::usage::{UsageFilter, UsageRow};

const DELETE_ENDED: Statement = sql!("tasks/delete_ended");
const DELETE_MANY: Statement = sql!("tasks/delete_many");
const DELETE_ATTEMPTS: Statement = sql!("tasks/delete_attempts");
const DELETE_LOGS: Statement = sql!("tasks/delete_task_logs");
const DELETE_ARTIFACTS: Statement = sql!("tasks/delete_artifacts");
const REMEMBER: Statement = sql!("tasks/remember");
const LIVE_FROM: Statement = sql!("tasks/live_from");

#[async_trait]
impl TaskStore for SqlStore {
    async fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        commit::commit(&self.db, changes).await
    }

    async fn load_live(&self) -> Result<Vec<LiveTask>, StoreError> {
        let from = move_live_from(&self.db).await?;
        read::load_live(&self.db, from).await
    }

    async fn account_limits(&self) -> Result<Vec<AccountLimit>, StoreError> {
        read::account_limits(&self.db).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>, StoreError> {
        budgets::all(&self.db).await
    }

    async fn counters(&self) -> Result<Counters, StoreError> {
        read::counters(&self.db).await
    }

    async fn task(&self, task: TaskRef) -> Result<Option<StoredTask>, StoreError> {
        read::task(&self.db, task).await
    }

    async fn tasks_by_key(&self, keys: &[(UserId, String)]) -> Result<Vec<StoredTask>, StoreError> {
        read::tasks_by_key(&self.db, keys).await
    }

    async fn list(&self, filter: &TaskFilter) -> Result<Vec<TaskSummary>, StoreError> {
        read::list(&self.db, filter).await
    }

    async fn attempts(&self, number: TaskNumber) -> Result<Vec<StoredAttempt>, StoreError> {
        read::attempts(&self.db, number).await
    }

    async fn attempts_on(
        &self,
        worker: WorkerId,
        from: TaskNumber,
        before: TaskNumber,
        limit: usize,
    ) -> Result<Vec<AttemptOnWorker>, StoreError> {
        read::attempts_on(&self.db, worker, from, before, limit).await
    }

    async fn log(&self, number: TaskNumber, after_seq: u64, limit: usize) -> Result<LogPage, StoreError> {
        log::read_page(&self.db, number, after_seq, limit).await
    }

    async fn events_after(
        &self,
        after: EventId,
        scope: &EventScope,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        read::events_after(&self.db, after, scope, limit).await
    }

    async fn oldest_event(&self) -> Result<Option<EventId>, StoreError> {
        read::oldest_event(&self.db).await
    }

    async fn delete_task(&self, number: TaskNumber, version: i64, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(&DELETE_ENDED, args![number, version]).await? == 0 {
            let known = read::task_in(&mut tx, number).await?.ok_or(StoreError::not_found("task"))?;
            let stale = known.row.version != version;
            return Err(if stale { Conflict::StaleVersion } else { Conflict::NotEnded }.into());
        }
        delete_belongings(&mut tx, &[number]).await?;
        super::audit::write(&mut tx, audit).await?;
        tx.commit().await
    }

    async fn counts(&self, user: Option<UserId>) -> Result<TaskCounts, StoreError> {
        read::counts(&self.db, user).await
    }

    async fn usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        usage::read(&self.db, filter).await
    }

    async fn audit(&self, after: TaskNumber, limit: usize) -> Result<Vec<AuditedTask>, StoreError> {
        read::audit(&self.db, after, limit).await
    }
}

/// Moves the counter before which every task has ended, and gives it. A terminal state has no way out, and new
/// tasks have higher numbers than all before them: so what was found stays true. That it is remembered only saves the
/// next search: a disk that is full must not keep anybody from reading.
pub(super) async fn move_live_from(db: &Database) -> Result<TaskNumber, StoreError> {
    let rows = db.read(&LIVE_FROM, Vec::new()).await?;
    let fields = rows.first().ok_or(StoreError::not_found("counter"))?.of("counters", "remembered");
    let found = fields.int("found")?;
    if found > fields.int("remembered")?
        && let Err(error) = remember(db, found).await
    {
        tracing::debug!(%error, "where live tasks begin is not remembered");
    }
    Ok(TaskNumber(found))
}

async fn remember(db: &Database, live_from: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute(&REMEMBER, args!["live_from", live_from]).await?;
    tx.commit().await
}

/// Removes tasks that were seen to have ended, with all that belongs to them.
pub(super) async fn delete_tasks(tx: &mut Transaction<'_>, numbers: &[TaskNumber]) -> Result<(), StoreError> {
    tx.execute(&DELETE_MANY, vec![array(numbers)?]).await?;
    delete_belongings(tx, numbers).await
}

async fn delete_belongings(tx: &mut Transaction<'_>, numbers: &[TaskNumber]) -> Result<(), StoreError> {
    for statement in [&DELETE_ATTEMPTS, &DELETE_LOGS, &DELETE_ARTIFACTS] {
        tx.execute(statement, vec![array(numbers)?]).await?;
    }
    if let Some(highest) = numbers.iter().max() {
        tx.execute(&REMEMBER, args!["task_number", *highest]).await?;
    }
    Ok(())
}

/// Removes the logs of tasks that stay.
pub(super) async fn delete_logs(tx: &mut Transaction<'_>, numbers: &[TaskNumber]) -> Result<(), StoreError> {
    tx.execute(&DELETE_LOGS, vec![array(numbers)?]).await?;
    Ok(())
}
