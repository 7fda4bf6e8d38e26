//! Reading tasks, attempts and events.

use std::collections::BTreeMap;

use swarm_model::change::{AccountLimit, AttemptStatus, EventRecord, LiveAttempt, LiveTask, TaskHead, TaskRow};
use swarm_model::invariants::AuditedTask;
use swarm_model::tool::Account;
use swarm_model::{EventId, TaskNumber, TaskRef, UserId, WorkerId};

use crate::error::StoreError;
use crate::sql::database::{Database, Transaction};
use crate::sql::row::{Fields, Row};
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::tasks::spec::read_spec;
use crate::sql::value::{Value, args, array};
use crate::task::{
    AttemptOnWorker, Counters, EventScope, StoredAttempt, StoredTask, TaskCounts, TaskFilter, TaskSummary,
};

const LIVE: Statement = sql!("tasks/live");
const COUNTERS: Statement = sql!("tasks/counters");
const BY_NUMBER: Statement = sql!("tasks/by_number");
const BY_ID: Statement = sql!("tasks/by_id");
const BY_KEY: Statement = sql!("tasks/by_key");
const LIST: Statement = sql!("tasks/list");
const LIST_OF_USER: Statement = sql!("tasks/list_of_user");
const ATTEMPTS: Statement = sql!("tasks/attempts");
const ATTEMPTS_ON: Statement = sql!("tasks/attempts_on");
const EVENTS_ALL: Statement = sql!("tasks/events_all");
const EVENTS_SCOPED: Statement = sql!("tasks/events_scoped");
const OLDEST_EVENT: Statement = sql!("tasks/oldest_event");
const COUNTS: Statement = sql!("tasks/counts");
const COUNTS_OF_USER: Statement = sql!("tasks/counts_of_user");
const LIMITS: Statement = sql!("tasks/limits");
const CHECK_TASKS: Statement = sql!("tasks/check_tasks");
const CHECK_ATTEMPTS: Statement = sql!("tasks/check_attempts");
const CHECK_LOGS: Statement = sql!("tasks/check_logs");

/// Rows of live tasks that are in memory twice, as the database's and as ours.
const LIVE_PAGE: usize = 2_000;

/// The live tasks, none of which has a number below `from`.
pub(super) async fn load_live(db: &Database, from: TaskNumber) -> Result<Vec<LiveTask>, StoreError> {
    let mut live: Vec<LiveTask> = Vec::new();
    loop {
        let after = live.last().map_or(TaskNumber(from.0 - 1), |task| task.head.number);
        let rows = db.read(&LIVE, args![after, LIVE_PAGE]).await?;
        for row in &rows {
            let fields = row.of("tasks", "number");
            let log_received = fields.opt_count("log_received")?.unwrap_or(0);
            live.push(LiveTask { head: head(fields)?, row: task_row(fields)?, log_received, open: open(fields)? });
        }
        if rows.len() < LIVE_PAGE {
            return Ok(live);
        }
    }
}

fn open(fields: Fields<'_>) -> Result<Option<LiveAttempt>, StoreError> {
    let Some(tool) = fields.opt_parsed("open_tool")? else { return Ok(None) };
    let (model, started_at) = (fields.opt_text("open_model")?, fields.opt_time("open_started_at")?);
    Ok(Some(LiveAttempt { tool, model, started_at }))
}

pub(super) async fn account_limits(db: &Database) -> Result<Vec<AccountLimit>, StoreError> {
    let limit = |row: &Row| {
        let fields = row.of("account_limits", "account_id");
        Ok(AccountLimit {
            account: Account { id: fields.text("account_id")?, label: fields.text("label")? },
            class: fields.name("class")?,
            detail: fields.text("detail")?,
            since: fields.time("since")?,
            until: fields.time("until")?,
        })
    };
    db.read(&LIMITS, Vec::new()).await?.iter().map(limit).collect()
}

pub(super) async fn counters(db: &Database) -> Result<Counters, StoreError> {
    let rows = db.read(&COUNTERS, Vec::new()).await?;
    let fields = rows.first().ok_or(StoreError::not_found("counter"))?.of("counters", "last_number");
    let last_number = fields.int("last_number")?.max(fields.int("removed_number")?);
    Ok(Counters { last_number: TaskNumber(last_number), last_event: EventId(fields.int("last_event")?) })
}

pub(super) async fn task(db: &Database, task: TaskRef) -> Result<Option<StoredTask>, StoreError> {
    let rows = match task {
        TaskRef::Id(id) => db.read(&BY_ID, args![id]).await?,
        TaskRef::Number(number) => db.read(&BY_NUMBER, args![number]).await?,
    };
    rows.first().map(stored_task).transpose()
}

/// As `task`, with what the transaction has written so far.
pub(super) async fn task_in(tx: &mut Transaction<'_>, number: TaskNumber) -> Result<Option<StoredTask>, StoreError> {
    tx.fetch(&BY_NUMBER, args![number]).await?.first().map(stored_task).transpose()
}

pub(super) async fn tasks_by_key(db: &Database, keys: &[(UserId, String)]) -> Result<Vec<StoredTask>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Rows::of(keys.iter().map(|(user, key)| cells![*user, key]));
    db.read_for(&BY_KEY, wanted).await?.iter().map(stored_task).collect()
}

pub(super) async fn list(db: &Database, filter: &TaskFilter) -> Result<Vec<TaskSummary>, StoreError> {
    let before = filter.before.unwrap_or(TaskNumber(i64::MAX));
    let statuses = match filter.statuses.as_slice() {
        [] => Value::Text(None),
        some => array(some)?,
    };
    let tool = filter.tool.as_ref().map(swarm_model::ToolName::as_str);
    let pattern = filter.text.as_deref().map(containing);
    let mut values = args![
        before,
        filter.limit,
        statuses,
        tool,
        filter.worker,
        pattern,
        filter.created_after,
        filter.created_before
    ];
    let rows = match filter.user {
        Some(user) => {
            values.push(user.into());
            db.read(&LIST_OF_USER, values).await?
        }
        None => db.read(&LIST, values).await?,
    };
    let summary = |row: &Row| {
        let fields = row.of("tasks", "number");
        Ok(TaskSummary { head: head(fields)?, row: task_row(fields)? })
    };
    rows.iter().map(summary).collect()
}

/// A pattern for what contains `text`, in which no sign has a meaning of its own.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

pub(super) async fn attempts(db: &Database, number: TaskNumber) -> Result<Vec<StoredAttempt>, StoreError> {
    let attempt = |row: &Row| {
        let fields = row.of("attempts", "number");
        Ok(StoredAttempt {
            attempt: fields.count("attempt")?,
            worker_id: fields.parsed("worker_id")?,
            tool: fields.parsed("tool")?,
            model: fields.opt_text("model")?,
            status: fields.name("status")?,
            assigned_at: fields.time("assigned_at")?,
            started_at: fields.opt_time("started_at")?,
            ended_at: fields.opt_time("ended_at")?,
            failure_class: fields.opt_name("failure_class")?,
            error: fields.opt_text("error")?,
            record: fields.opt_json("record")?,
            late: fields.opt_json("late")?,
        })
    };
    db.read(&ATTEMPTS, args![number]).await?.iter().map(attempt).collect()
}

pub(super) async fn attempts_on(
    db: &Database,
    worker: WorkerId,
    from: TaskNumber,
    before: TaskNumber,
    limit: usize,
) -> Result<Vec<AttemptOnWorker>, StoreError> {
    let attempt = |row: &Row| {
        let fields = row.of("attempts", "number");
        Ok(AttemptOnWorker {
            task_id: fields.parsed("task_id")?,
            number: TaskNumber(fields.int("number")?),
            attempt: fields.count("attempt")?,
            user_id: fields.parsed("user_id")?,
            tool: fields.parsed("tool")?,
            model: fields.opt_text("model")?,
            status: fields.name("status")?,
            assigned_at: fields.time("assigned_at")?,
            started_at: fields.opt_time("started_at")?,
            ended_at: fields.opt_time("ended_at")?,
            failure_class: fields.opt_name("failure_class")?,
            record: fields.opt_json("record")?,
        })
    };
    db.read(&ATTEMPTS_ON, args![worker, before, from, limit]).await?.iter().map(attempt).collect()
}

pub(super) async fn events_after(
    db: &Database,
    after: EventId,
    scope: &EventScope,
    limit: usize,
) -> Result<Vec<EventRecord>, StoreError> {
    let rows = match scope {
        EventScope::All => db.read(&EVENTS_ALL, args![after, limit]).await?,
        EventScope::Of { user, workers } => {
            let mut values = args![after, limit, *user];
            values.push(array(workers)?);
            db.read(&EVENTS_SCOPED, values).await?
        }
    };
    let event = |row: &Row| {
        let fields = row.of("events", "id");
        Ok(EventRecord {
            id: EventId(fields.int("id")?),
            at: fields.time("at")?,
            kind: fields.name("kind")?,
            user_id: fields.opt_parsed("user_id")?,
            number: fields.opt_int("number")?.map(TaskNumber),
            worker_id: fields.opt_parsed("worker_id")?,
            attempt: fields.opt_count("attempt")?,
            detail: fields.opt_text("detail")?,
        })
    };
    rows.iter().map(event).collect()
}

pub(super) async fn oldest_event(db: &Database) -> Result<Option<EventId>, StoreError> {
    let rows = db.read(&OLDEST_EVENT, Vec::new()).await?;
    let id = rows.first().map(|row| row.of("events", "id").opt_int("id")).transpose()?;
    Ok(id.flatten().map(EventId))
}

pub(super) async fn counts(db: &Database, user: Option<UserId>) -> Result<TaskCounts, StoreError> {
    let rows = match user {
        Some(user) => db.read(&COUNTS_OF_USER, args![user]).await?,
        None => db.read(&COUNTS, Vec::new()).await?,
    };
    let count = |row: &Row| {
        let fields = row.of("tasks", "status");
        Ok((fields.name("status")?, fields.count("tasks")?))
    };
    rows.iter().map(count).collect()
}

pub(super) async fn audit(db: &Database, after: TaskNumber, limit: usize) -> Result<Vec<AuditedTask>, StoreError> {
    // As of one moment: nobody writes while the three are read.
    let mut tx = db.begin().await?;
    let rows = tx.fetch(&CHECK_TASKS, args![after, limit]).await?;
    let mut audited = BTreeMap::new();
    for row in &rows {
        let fields = row.of("tasks", "number");
        let number = TaskNumber(fields.int("number")?);
        // What retention removed was there.
        let swept = fields.opt_count("log_swept")?.map(|swept| (1, swept));
        let task = AuditedTask {
            number,
            row: task_row(fields)?,
            attempts: Vec::new(),
            log_batches: swept.into_iter().collect(),
        };
        audited.insert(number, task);
    }
    let Some(&last) = audited.keys().next_back() else {
        tx.commit().await?;
        return Ok(Vec::new());
    };

    for row in tx.fetch(&CHECK_ATTEMPTS, args![after, last]).await? {
        let fields = row.of("attempts", "number");
        if let Some(task) = audited.get_mut(&TaskNumber(fields.int("number")?)) {
            task.attempts.push(fields.name::<AttemptStatus>("status")?);
        }
    }
    for row in tx.fetch(&CHECK_LOGS, args![after, last]).await? {
        let fields = row.of("task_logs", "number");
        if let Some(task) = audited.get_mut(&TaskNumber(fields.int("number")?)) {
            task.log_batches.push((fields.count("first_seq")?, fields.count("last_seq")?));
        }
    }
    tx.commit().await?;
    Ok(audited.into_values().collect())
}

fn stored_task(row: &Row) -> Result<StoredTask, StoreError> {
    let fields = row.of("tasks", "number");
    Ok(StoredTask { head: head(fields)?, row: task_row(fields)?, result: fields.opt_json("result")? })
}

fn head(fields: Fields<'_>) -> Result<TaskHead, StoreError> {
    let spec = read_spec(fields.text("description")?, fields.opt_parsed("tool")?, &fields.text("spec")?);
    Ok(TaskHead {
        task_id: fields.parsed("task_id")?,
        number: TaskNumber(fields.int("number")?),
        user_id: fields.parsed("user_id")?,
        workflow_id: fields.opt_parsed("workflow_id")?,
        run_id: fields.opt_parsed("run_id")?,
        node: fields.opt_text("node")?,
        spec: spec.map_err(|error| fields.corrupt("spec", error))?,
        retry_of: fields.opt_parsed("retry_of")?,
        idempotency_key: fields.opt_text("idempotency_key")?,
        traceparent: fields.opt_text("traceparent")?,
        created_at: fields.time("created_at")?,
    })
}

fn task_row(fields: Fields<'_>) -> Result<TaskRow, StoreError> {
    Ok(TaskRow {
        version: fields.int("version")?,
        status: fields.name("status")?,
        worker_id: fields.opt_parsed("worker_id")?,
        attempt: fields.count("attempt")?,
        failures: fields.count("failures")?,
        losses: fields.count("losses")?,
        ready_at: fields.time("ready_at")?,
        started_at: fields.opt_time("started_at")?,
        completed_at: fields.opt_time("completed_at")?,
        progress: fields.opt_count("progress")?,
        wait_reason: fields.opt_name("wait_reason")?,
        wait_until: fields.opt_time("wait_until")?,
        cancel_requested_at: fields.opt_time("cancel_requested_at")?,
        failure_class: fields.opt_name("failure_class")?,
        error: fields.opt_text("error")?,
        log_seq: fields.count("log_seq")?,
        course: fields.opt_json("course")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_of_a_searched_text_has_a_meaning() {
        assert_eq!(containing(r"100% a_b \ c"), r"%100\% a\_b \\ c%");
    }
}
