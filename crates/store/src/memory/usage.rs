//! Sums of days, told apart in memory.

use std::collections::BTreeMap;

use swarm_model::usage::{UsageBy, UsageKey, UsageSums};

use crate::usage::{UsageFilter, UsageRow, UsageScope, sort};

/// The sums that fit, told apart as the filter says. Nobody has a name here.
pub(super) fn sums(usage: &BTreeMap<UsageKey, UsageSums>, filter: &UsageFilter) -> Vec<UsageRow> {
    let by = |by: UsageBy| filter.by.contains(&by);
    let mut rows: Vec<UsageRow> = Vec::new();
    for (key, sums) in usage.iter().filter(|(key, _)| fits(key, filter)) {
        let apart = UsageRow {
            day: by(UsageBy::Day).then_some(key.day),
            user_id: by(UsageBy::User).then_some(key.user_id),
            username: None,
            worker_id: by(UsageBy::Worker).then_some(key.worker_id),
            machine_name: None,
            tool: by(UsageBy::Tool).then(|| key.tool.clone()),
            model: key.model.clone().filter(|_| by(UsageBy::Model)),
            sums: UsageSums::default(),
        };
        let place = rows.iter().position(|row| UsageRow { sums: apart.sums, ..row.clone() } == apart);
        let place = place.unwrap_or_else(|| {
            rows.push(apart);
            rows.len() - 1
        });
        rows[place].sums += *sums;
    }
    rows.retain(|row| row.sums.runs != 0);
    rows.truncate(filter.limit);
    sort(&mut rows);
    rows
}

fn fits(key: &UsageKey, filter: &UsageFilter) -> bool {
    let UsageFilter { scope, from, to, user, worker, tool, model, by: _, limit: _ } = filter;
    let is_seen = match scope {
        UsageScope::All => true,
        UsageScope::Of { user, workers } => key.user_id == *user || workers.contains(&key.worker_id),
    };
    is_seen
        && (*from..=*to).contains(&key.day)
        && user.is_none_or(|user| key.user_id == user)
        && worker.is_none_or(|worker| key.worker_id == worker)
        && tool.as_ref().is_none_or(|tool| key.tool == *tool)
        && model.as_ref().is_none_or(|model| key.model.as_ref() == Some(model))
}
