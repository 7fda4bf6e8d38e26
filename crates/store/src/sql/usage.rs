//! The sums of days: written in the commit that ends runs, read by whoever asks what was used.

use std::collections::BTreeMap;

use swarm_model::change::AddUsage;
use swarm_model::day::Day;
use swarm_model::usage::{UsageBy, UsageKey, UsageSums};

use crate::error::StoreError;
use crate::sql::database::{Database, Transaction};
use crate::sql::row::{Fields, Row};
use crate::sql::rows::{Rows, cells};
use crate::sql::statement::{Statement, sql};
use crate::sql::value::{Value, args, array};
use crate::usage::{UsageFilter, UsageRow, UsageScope, sort};

const ADD: Statement = sql!("usage/add");
const SUM: Statement = sql!("usage/sum");

/// What a commit adds to which sums. Each stands once in a statement.
pub(super) type Additions = BTreeMap<UsageKey, UsageSums>;

pub(super) fn additions(usage: &[AddUsage]) -> Additions {
    let mut additions = Additions::new();
    for AddUsage { key, sums } in usage {
        *additions.entry(key.clone()).or_default() += *sums;
    }
    additions
}

pub(super) async fn add(tx: &mut Transaction<'_>, additions: Additions) -> Result<(), StoreError> {
    let mut rows = Rows::default();
    for (key, sums) in additions {
        let [
            runs,
            completed_runs,
            run_ms,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            unknown_token_runs,
            reported_runs,
            reported_microusd,
            priced_runs,
            priced_microusd,
            free_runs,
            unknown_cost_runs,
        ] = sums.values();
        rows.push(cells![
            key.day.number(),
            key.user_id,
            key.worker_id,
            &key.tool,
            key.model.unwrap_or_default(),
            runs,
            completed_runs,
            run_ms,
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens,
            unknown_token_runs,
            reported_runs,
            reported_microusd,
            priced_runs,
            priced_microusd,
            free_runs,
            unknown_cost_runs,
        ]);
    }
    tx.write(&ADD, rows).await?;
    Ok(())
}

pub(super) async fn read(db: &Database, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
    let by = |by: UsageBy| filter.by.contains(&by);
    let (all, user, workers) = match &filter.scope {
        UsageScope::All => (true, None, Vec::new()),
        UsageScope::Of { user, workers } => (false, Some(*user), workers.clone()),
    };
    let mut values = args![
        filter.from.number(),
        filter.to.number(),
        by(UsageBy::Day),
        by(UsageBy::User),
        by(UsageBy::Worker),
        by(UsageBy::Tool),
        by(UsageBy::Model),
        all,
        user
    ];
    values.push(array(workers)?);
    values.extend::<[Value; 5]>([
        filter.user.into(),
        filter.worker.into(),
        filter.tool.as_ref().into(),
        filter.model.as_deref().into(),
        filter.limit.into(),
    ]);
    let mut rows: Vec<UsageRow> =
        db.read(&SUM, values).await?.iter().map(usage_row).collect::<Result<_, StoreError>>()?;
    sort(&mut rows);
    Ok(rows)
}

fn usage_row(row: &Row) -> Result<UsageRow, StoreError> {
    let fields = row.of("daily_usage", "day");
    Ok(UsageRow {
        day: fields.opt_int("day")?.map(Day::from_number),
        user_id: fields.opt_parsed("user_id")?,
        username: fields.opt_text("username")?,
        worker_id: fields.opt_parsed("worker_id")?,
        machine_name: fields.opt_text("machine_name")?,
        tool: fields.opt_parsed("tool")?,
        model: fields.opt_text("model")?.filter(|model| !model.is_empty()),
        sums: sums(fields)?,
    })
}

fn sums(fields: Fields<'_>) -> Result<UsageSums, StoreError> {
    let mut values = [0; UsageSums::COUNT];
    for (value, name) in values.iter_mut().zip(UsageSums::NAMES) {
        *value = fields.int(name)?;
    }
    Ok(UsageSums::from_values(values))
}
