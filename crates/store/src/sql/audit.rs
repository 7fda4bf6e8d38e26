//! Writing and reading the audit.

use crate::audit::{AuditEntry, AuditFilter, AuditRecord};
use crate::error::StoreError;
use crate::sql::database::{Database, Transaction};
use crate::sql::row::Row;
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{args, json};

const INSERT: Statement = sql!("audit/insert");
const LIST: Statement = sql!("audit/list");

/// Adds an entry to the transaction that makes the change.
pub(super) async fn write(tx: &mut Transaction<'_>, entry: &AuditEntry) -> Result<(), StoreError> {
    let detail = entry.detail.as_ref().map(json).transpose()?;
    let values = args![
        entry.at,
        entry.actor.as_str(),
        entry.action.as_str(),
        entry.subject.as_str(),
        detail,
        entry.from_address.as_deref(),
    ];
    tx.execute(&INSERT, values).await?;
    Ok(())
}

pub(super) async fn list(db: &Database, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
    let record = |row: &Row| {
        let fields = row.of("audit", "id");
        let entry = AuditEntry {
            at: fields.time("at")?,
            actor: fields.text("actor")?,
            action: fields.text("action")?,
            subject: fields.text("subject")?,
            detail: fields.opt_json("detail")?,
            from_address: fields.opt_text("from_address")?,
        };
        Ok(AuditRecord { id: fields.int("id")?, entry })
    };
    let or_any = |text: &Option<String>| text.clone().unwrap_or_default();
    let values = args![
        filter.before.unwrap_or(i64::MAX),
        filter.limit,
        or_any(&filter.actor),
        or_any(&filter.action),
        or_any(&filter.subject),
    ];
    db.read(&LIST, values).await?.iter().map(record).collect()
}
