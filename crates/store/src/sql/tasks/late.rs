//! Results that came too late: evidence beside their attempt, and what their runs used.

use std::collections::BTreeMap;

use swarm_model::change::LateResult;
use swarm_model::usage::EndedAttempt;
use swarm_model::{TaskId, ToolName};

use crate::error::StoreError;
use crate::sql::database::Transaction;
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::usage::Additions;
use crate::sql::value::json;
use crate::task::LateReport;

const LATE_ATTEMPTS: Statement = sql!("tasks/late_attempts");
const KEEP_LATE: Statement = sql!("tasks/keep_late");

/// Keeps them, and adds what they tell to the sums: in place of what was counted for lack of knowledge.
pub(super) async fn keep(
    tx: &mut Transaction<'_>,
    late: &[LateResult],
    additions: &mut Additions,
) -> Result<(), StoreError> {
    if late.is_empty() {
        return Ok(());
    }
    // Of several about an attempt the first one is kept.
    let mut first = BTreeMap::new();
    for result in late {
        first.entry((result.task_id, result.attempt, result.worker_id)).or_insert(result);
    }
    let asked = Rows::of(first.keys().map(|(task, attempt, worker)| cells![*task, *attempt, *worker]));
    for row in tx.fetch_for(&LATE_ATTEMPTS, asked).await? {
        let fields = row.of("attempts", "number");
        let place = (fields.parsed::<TaskId>("task_id")?, fields.count("attempt")?, fields.parsed("worker_id")?);
        let Some(result) = first.get(&place) else { continue };
        let (tool, model): (ToolName, _) = (fields.parsed("tool")?, fields.opt_text("model")?);
        let before = EndedAttempt {
            user_id: fields.parsed("user_id")?,
            worker_id: place.2,
            tool: &tool,
            model: model.as_deref(),
            status: fields.name("status")?,
            started_at: fields.opt_time("started_at")?,
            ended_at: fields.time("ended_at")?,
            record: None,
        };
        before.learn(&result.record, additions);
    }
    let mut rows = Rows::default();
    for ((task, attempt, worker), result) in first {
        let report = LateReport { outcome: result.outcome.clone(), record: result.record.clone() };
        rows.push(cells![task, attempt, worker, json(&report)?, json(&result.record)?]);
    }
    tx.write(&KEEP_LATE, rows).await?;
    Ok(())
}
