//! The hot path: everything that one commit writes, in one statement for each kind of row.
//!
//! Rows are put together before the writer is taken, so that nobody waits for that.

use swarm_model::change::{AttemptStatus, Changes, InsertTask, LimitChange, TaskRow, UpdateTask};
use swarm_model::course::Course;

use crate::error::{Conflict, StoreError};
use crate::sql::database::{Database, Transaction, broken_constraint};
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::tasks::late;
use crate::sql::tasks::log::pack_logs;
use crate::sql::tasks::spec::stored_spec;
use crate::sql::usage;
use crate::sql::value::json;

const INSERT: Statement = sql!("tasks/insert");
const UPDATE: Statement = sql!("tasks/update");
const EDIT: Statement = sql!("tasks/edit");
const OPEN_ATTEMPTS: Statement = sql!("tasks/open_attempts");
const UPDATE_ATTEMPTS: Statement = sql!("tasks/update_attempts");
const APPEND_LOGS: Statement = sql!("tasks/append_logs");
const KEEP_LIMITS: Statement = sql!("tasks/keep_limits");
const END_LIMITS: Statement = sql!("tasks/end_limits");
const INSERT_EVENTS: Statement = sql!("tasks/insert_events");

pub(super) async fn commit(db: &Database, changes: &Changes) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let inserts = insert_rows(&changes.inserts)?;
    let updates = update_rows(&changes.updates)?;
    let edits = edit_rows(&changes.updates)?;
    let opened = opened_rows(changes);
    let attempts = attempts_rows(changes);
    let logs = pack_logs(&changes.logs)?;
    let mut used = usage::additions(&changes.usage);
    let (hit, over) = limit_rows(changes);
    let events = events_rows(changes);

    let mut tx = db.begin().await?;
    write_new(&mut tx, &INSERT, inserts, |constraint| constraint.contains("idempotency")).await?;
    write_guarded(&mut tx, &UPDATE, updates).await?;
    tx.write(&EDIT, edits).await?;
    write_new(&mut tx, &OPEN_ATTEMPTS, opened, |_| false).await?;
    write_guarded(&mut tx, &UPDATE_ATTEMPTS, attempts).await?;
    tx.write(&APPEND_LOGS, logs).await?;
    late::keep(&mut tx, &changes.late, &mut used).await?;
    usage::add(&mut tx, used).await?;
    tx.write(&KEEP_LIMITS, hit).await?;
    tx.write(&END_LIMITS, over).await?;
    write_new(&mut tx, &INSERT_EVENTS, events, |_| false).await?;
    tx.commit().await
}

/// A row that is there already undoes the whole commit.
async fn write_new(
    tx: &mut Transaction<'_>,
    statement: &Statement,
    rows: Rows,
    is_idempotency_key: fn(&str) -> bool,
) -> Result<(), StoreError> {
    let written = tx.try_write(statement, rows).await;
    written.map(|_| ()).map_err(|error| match broken_constraint(&error) {
        Some(constraint) if is_idempotency_key(&constraint) => Conflict::IdempotencyKey.into(),
        Some(_) => Conflict::Exists.into(),
        None => error.into(),
    })
}

/// Every row must have found its row in the state that the decision was made on.
async fn write_guarded(tx: &mut Transaction<'_>, statement: &Statement, rows: Rows) -> Result<(), StoreError> {
    let expected = rows.len() as u64;
    let changed = tx.write(statement, rows).await?;
    if changed == expected { Ok(()) } else { Err(Conflict::StaleVersion.into()) }
}

fn insert_rows(inserts: &[InsertTask]) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    for InsertTask { head, row } in inserts {
        rows.push(cells![
            head.number,
            head.task_id,
            head.user_id,
            head.created_at,
            head.spec.description.as_str(),
            stored_spec(&head.spec)?,
            row.version,
            row.status,
            row.attempt,
            row.failures,
            row.losses,
            row.log_seq,
            row.ready_at,
            row.worker_id,
            row.started_at,
            row.completed_at,
            head.spec.tool.as_ref(),
            row.progress,
            row.failure_class,
            row.error.as_deref(),
            row.wait_reason,
            row.wait_until,
            row.cancel_requested_at,
            head.idempotency_key.as_deref(),
            head.traceparent.as_deref(),
            head.retry_of,
            head.workflow_id,
            head.run_id,
            head.node.as_deref(),
            course_text(row)?,
        ]);
    }
    Ok(rows)
}

fn update_rows(updates: &[UpdateTask]) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    for UpdateTask { number, row, result, .. } in updates {
        rows.push(cells![
            *number,
            row.version,
            row.status,
            row.attempt,
            row.failures,
            row.losses,
            row.log_seq,
            row.ready_at,
            row.worker_id,
            row.started_at,
            row.completed_at,
            result.as_deref(),
            row.progress,
            row.failure_class,
            row.error.as_deref(),
            row.wait_reason,
            row.wait_until,
            row.cancel_requested_at,
            course_text(row)?,
        ]);
    }
    Ok(rows)
}

/// What a task remembers; nothing for most.
fn course_text(row: &TaskRow) -> Result<Option<String>, StoreError> {
    row.course.as_deref().filter(|course| **course != Course::default()).map(json).transpose()
}

fn edit_rows(updates: &[UpdateTask]) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    for update in updates {
        if let Some(spec) = &update.spec {
            rows.push(cells![update.number, spec.description.as_str(), stored_spec(spec)?, spec.tool.as_ref()]);
        }
    }
    Ok(rows)
}

fn opened_rows(changes: &Changes) -> Rows {
    Rows::of(changes.opened.iter().map(|opened| {
        cells![
            opened.number,
            opened.attempt,
            opened.worker_id,
            &opened.tool,
            AttemptStatus::Assigned,
            opened.assigned_at,
            opened.model.as_deref(),
        ]
    }))
}

fn attempts_rows(changes: &Changes) -> Rows {
    Rows::of(changes.attempts.iter().map(|update| {
        cells![
            update.number,
            update.attempt,
            update.status,
            update.started_at,
            update.ended_at,
            update.record.as_deref(),
            update.failure_class,
            update.error.as_deref(),
        ]
    }))
}

/// Limits that were hit, and accounts that are at none any more.
fn limit_rows(changes: &Changes) -> (Rows, Rows) {
    let (mut hit, mut over) = (Rows::default(), Rows::default());
    for change in &changes.limits {
        match change {
            LimitChange::Hit(limit) => hit.push(cells![
                limit.account.id.as_str(),
                limit.account.label.as_str(),
                limit.class,
                limit.detail.as_str(),
                limit.since,
                limit.until,
            ]),
            LimitChange::Over { account_id } => over.push(cells![account_id.as_str()]),
        }
    }
    (hit, over)
}

fn events_rows(changes: &Changes) -> Rows {
    Rows::of(changes.events.iter().map(|event| {
        cells![
            event.id,
            event.at,
            event.kind,
            event.user_id,
            event.number,
            event.worker_id,
            event.attempt,
            event.detail.as_deref(),
        ]
    }))
}
