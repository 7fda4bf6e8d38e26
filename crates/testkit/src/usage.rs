//! What was used, counted twice: from the attempts themselves, and as the sums have it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use swarm_model::day::Day;
use swarm_model::usage::{EndedAttempt, UsageBy, UsageKey, UsageSums};
use swarm_model::{TaskNumber, TaskRef, Timestamp};
use swarm_store::{TaskStore, UsageFilter};

const PAGE: usize = 500;

/// Checks that every ended attempt is in the sums once, and that nothing else is but what was deleted.
pub async fn check_usage(tasks: &dyn TaskStore) -> Result<()> {
    let (mut counted, mut n_tasks) = (BTreeMap::new(), 0);
    let mut after = TaskNumber(0);
    loop {
        let page = tasks.audit(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        n_tasks += page.len() as i64;
        for task in page {
            count(tasks, task.number, &mut counted).await?;
        }
    }
    let days = UsageFilter::of_days(Day::of(Timestamp::EPOCH), Day::of(Timestamp::FAR_FUTURE));
    let rows = tasks.usage(&UsageFilter { by: UsageBy::ALL.into(), limit: 1_000_000, ..days }).await?;
    let mut summed: BTreeMap<UsageKey, UsageSums> = BTreeMap::new();
    for row in rows {
        let key = UsageKey {
            day: row.day.context("by day")?,
            user_id: row.user_id.context("by user")?,
            worker_id: row.worker_id.context("by worker")?,
            tool: row.tool.context("by tool")?,
            model: row.model,
        };
        summed.insert(key, row.sums);
    }
    if tasks.counters().await?.last_number.0 == n_tasks {
        ensure!(summed == counted, "the sums are\n{summed:#?}\nand the attempts\n{counted:#?}");
        return Ok(());
    }
    for (key, sums) in counted {
        let in_sums = summed.get(&key).copied().unwrap_or_default();
        let is_there = in_sums.values().iter().zip(sums.values()).all(|(sum, part)| *sum >= part);
        ensure!(is_there, "{key:?}: the sums are {in_sums:?}, and attempts that are kept {sums:?}");
    }
    Ok(())
}

async fn count(tasks: &dyn TaskStore, number: TaskNumber, into: &mut BTreeMap<UsageKey, UsageSums>) -> Result<()> {
    let attempts = tasks.attempts(number).await?;
    let task = tasks.task(TaskRef::Number(number)).await?.context("a task that was there a moment ago")?;
    for attempt in attempts {
        let Some(ended_at) = attempt.ended_at else { continue };
        let ended = EndedAttempt {
            user_id: task.head.user_id,
            worker_id: attempt.worker_id,
            tool: &attempt.tool,
            model: attempt.model.as_deref(),
            status: attempt.status,
            started_at: attempt.started_at,
            ended_at,
            record: attempt.record.as_ref(),
        };
        if let Some((key, sums)) = ended.usage() {
            *into.entry(key).or_default() += sums;
        }
    }
    Ok(())
}
