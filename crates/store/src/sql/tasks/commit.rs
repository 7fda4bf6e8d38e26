//! The hot path: everything that one commit writes, in one statement for each kind of row.
//!
//! Batches are put together before the writer is taken, so that nobody waits for that.

use swarm_model::change::{Changes, InsertTask, UpdateTask};

use crate::error::{Conflict, StoreError};
use crate::sql::batch::{Batch, json, push_row};
use crate::sql::database::{Database, Transaction, broken_constraint};
use crate::sql::statement::{Statement, sql};
use crate::sql::tasks::log::{PackedLogs, pack_logs};
use crate::sql::tasks::spec::stored_spec;
use crate::sql::value::Value;
use crate::task::LateReport;

const INSERT: Statement = sql!("tasks/insert");
const UPDATE: Statement = sql!("tasks/update");
const EDIT: Statement = sql!("tasks/edit");
const OPEN_ATTEMPTS: Statement = sql!("tasks/open_attempts");
const UPDATE_ATTEMPTS: Statement = sql!("tasks/update_attempts");
const APPEND_LOGS: Statement = sql!("tasks/append_logs");
const KEEP_LATE: Statement = sql!("tasks/keep_late");
const INSERT_EVENTS: Statement = sql!("tasks/insert_events");

pub(super) async fn commit(db: &Database, changes: &Changes) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let inserts = insert_batch(&changes.inserts)?;
    let updates = update_batch(&changes.updates);
    let edits = edit_batch(&changes.updates)?;
    let opened = opened_batch(changes);
    let attempts = attempts_batch(changes);
    let logs = pack_logs(&changes.logs)?;
    let late = late_batch(changes)?;
    let events = events_batch(changes);

    let mut tx = db.begin().await?;
    if !inserts.is_empty() {
        let inserted = tx.try_execute(&INSERT, vec![inserts.into_value()]).await;
        inserted.map_err(|error| taken(error, |constraint| constraint.contains("idempotency")))?;
    }
    write_guarded(&mut tx, &UPDATE, updates).await?;
    write(&mut tx, &EDIT, edits).await?;
    if !opened.is_empty() {
        let written = tx.try_execute(&OPEN_ATTEMPTS, vec![opened.into_value()]).await;
        written.map_err(|error| taken(error, |_| false))?;
    }
    write_guarded(&mut tx, &UPDATE_ATTEMPTS, attempts).await?;
    if let Some(PackedLogs { rows, lines }) = logs {
        tx.execute(&APPEND_LOGS, vec![rows.into_value(), Value::from(lines)]).await?;
    }
    write(&mut tx, &KEEP_LATE, late).await?;
    if !events.is_empty() {
        let written = tx.try_execute(&INSERT_EVENTS, vec![events.into_value()]).await;
        written.map_err(|error| taken(error, |_| false))?;
    }
    tx.commit().await
}

async fn write(tx: &mut Transaction<'_>, statement: &Statement, batch: Batch) -> Result<(), StoreError> {
    if !batch.is_empty() {
        tx.execute(statement, vec![batch.into_value()]).await?;
    }
    Ok(())
}

/// Every row of the batch must have found its row in the state that the decision was made on.
async fn write_guarded(tx: &mut Transaction<'_>, statement: &Statement, batch: Batch) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let expected = batch.rows();
    let changed = tx.execute(statement, vec![batch.into_value()]).await?;
    if changed == expected { Ok(()) } else { Err(Conflict::StaleVersion.into()) }
}

fn taken(error: sqlx::Error, is_idempotency_key: impl FnOnce(&str) -> bool) -> StoreError {
    match broken_constraint(&error) {
        Some(constraint) if is_idempotency_key(&constraint) => Conflict::IdempotencyKey.into(),
        Some(_) => Conflict::Exists.into(),
        None => error.into(),
    }
}

fn insert_batch(inserts: &[InsertTask]) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for InsertTask { head, row } in inserts {
        push_row!(batch;
            head.number, head.task_id, head.user_id, head.created_at, head.spec.description, stored_spec(&head.spec)?,
            row.version, row.status, row.attempt, row.failures, row.losses, row.log_seq, row.ready_at, row.worker_id,
            row.started_at, row.completed_at, head.spec.tool, row.progress, row.failure_class, row.error, row.wait_reason,
            row.wait_until, row.cancel_requested_at, head.idempotency_key, head.traceparent, head.retry_of, head.workflow_id,
            head.run_id, head.node,
        );
    }
    Ok(batch)
}

fn update_batch(updates: &[UpdateTask]) -> Batch {
    let mut batch = Batch::new();
    for UpdateTask { number, row, result, .. } in updates {
        push_row!(batch;
            number, row.version, row.status, row.attempt, row.failures, row.losses, row.log_seq, row.ready_at, row.worker_id,
            row.started_at, row.completed_at, result, row.progress, row.failure_class, row.error, row.wait_reason, row.wait_until,
            row.cancel_requested_at,
        );
    }
    batch
}

fn edit_batch(updates: &[UpdateTask]) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for update in updates {
        if let Some(spec) = &update.spec {
            push_row!(batch; update.number, spec.description, stored_spec(spec)?, spec.tool);
        }
    }
    Ok(batch)
}

fn opened_batch(changes: &Changes) -> Batch {
    let mut batch = Batch::new();
    for opened in &changes.opened {
        let status = swarm_model::change::AttemptStatus::Assigned;
        push_row!(batch;
            opened.number, opened.attempt, opened.worker_id, opened.tool, status, opened.assigned_at, opened.model,
        );
    }
    batch
}

fn attempts_batch(changes: &Changes) -> Batch {
    let mut batch = Batch::new();
    for update in &changes.attempts {
        push_row!(batch;
            update.number, update.attempt, update.status, update.started_at, update.ended_at, update.record, update.failure_class,
            update.error,
        );
    }
    batch
}

fn late_batch(changes: &Changes) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for late in &changes.late {
        let report = json(&LateReport { outcome: late.outcome.clone(), record: late.record.clone() })?;
        push_row!(batch; late.task_id, late.attempt, late.worker_id, report);
    }
    Ok(batch)
}

fn events_batch(changes: &Changes) -> Batch {
    let mut batch = Batch::new();
    for event in &changes.events {
        push_row!(batch;
            event.id, event.at, event.kind, event.user_id, event.number, event.worker_id, event.attempt, event.detail,
        );
    }
    batch
}
