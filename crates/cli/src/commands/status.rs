//! `garageswarm status`: the swarm at a glance.

use std::collections::BTreeMap;

use swarm_model::{TaskStatus, Timestamp, ToolName, WorkerStatus};
use swarm_proto::status::SwarmStatus;

use crate::commands::budget;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::Facts;
use crate::readable::{WARN, ago, cut, plain, until};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let status = client.status().await?;
    context.output.object(&status, |status| words(status, &client.address().to_string(), context.now()))
}

fn words(status: &SwarmStatus, address: &str, now: Timestamp) -> String {
    let mut facts = Facts::default();
    facts
        .fact("coordinator", format!("{address}, version {}", status.version))
        .fact("started", ago(now, status.started_at));
    if status.paused {
        facts.fact("paused", format!("{WARN}nothing is handed out until `garageswarm swarm resume`{WARN:#}"));
    }
    let tasks = TaskStatus::ALL.map(TaskStatus::as_str);
    let workers = WorkerStatus::ALL.map(WorkerStatus::as_str);
    facts
        .fact("your tasks", counts(&status.tasks, &tasks, "none yet: `garageswarm task submit PROMPT`"))
        .fact("workers", counts(&status.workers, &workers, "none: `garageswarm key create` begins one"))
        .fact("free slots", status.free_slots.to_string());
    for limit in &status.limits {
        let tools = limit.tools.iter().map(ToolName::as_str).collect::<Vec<_>>().join(", ");
        let account = plain(&limit.account);
        let again = if limit.until > now {
            format!("tried again {}", until(now, limit.until))
        } else {
            "which the next run finds out about".to_owned()
        };
        let detail = cut(&limit.detail, 100);
        facts.fact("at a limit", format!("{WARN}{tools} with {account}, {again}{WARN:#}: {detail}"));
    }
    for budget in &status.budgets {
        facts.fact("budget", format!("{WARN}{}{WARN:#}", budget::sentence(budget, now)));
    }
    for task in &status.short {
        facts.fact("waiting", format!("#{}: {}", task.number, plain(&task.detail)));
    }
    facts.text()
}

/// The counts that are not zero, in the order of their names.
fn counts(counted: &BTreeMap<String, u64>, order: &[&str], none: &str) -> String {
    let shown: Vec<_> = order
        .iter()
        .filter_map(|name| counted.get(*name).filter(|count| **count > 0).map(|count| format!("{count} {name}")))
        .collect();
    if shown.is_empty() { none.to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_swarm_in_words() {
        let status: SwarmStatus = serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "started_at": "2026-11-20T10:00:00Z", "paused": true,
            "tasks": {"queued": 3, "running": 1, "failed": 0}, "workers": {}, "free_slots": 0,
            "limits": [{"account": "key ...a1b2", "tools": ["anthropic-api", "claude-code"], "class": "quota",
                "detail": "five hours are spent", "since": "2026-11-20T11:00:00Z", "until": "2026-11-20T12:20:00Z"}],
            "budgets": [{"budget_id": "01890a5d-ac96-774b-bcce-b302099a8057", "username": "ada", "period": "day",
                "user_id": "01890a5d-ac96-774b-bcce-b302099a8058", "unit": "tokens", "amount": 1000, "used": 720,
                "state": "warned", "renews_at": "2026-11-21T00:00:00Z",
                "created_by": "01890a5d-ac96-774b-bcce-b302099a8058", "created_at": "2026-11-20T00:00:00Z"}],
            "short": [{"number": 7, "detail": "used 9 of 9 tokens; raise it with `garageswarm task budget 7 --tokens 18`"}],
        }))
        .unwrap();
        let text = words(&status, "http://127.0.0.1:8420", "2026-11-20T12:00:00Z".parse().unwrap());
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
        coordinator  http://127.0.0.1:8420, version 0.1.0
        started      2h ago
        paused       nothing is handed out until `garageswarm swarm resume`
        your tasks   3 queued, 1 running
        workers      none: `garageswarm key create` begins one
        free slots   0
        at a limit   anthropic-api, claude-code with key ...a1b2, tried again in 20m 00s: five hours are spent
        budget       ada, a day: 72 % used, 720 tokens of 1,000 tokens, anew in 12h 00m
        waiting      #7: used 9 of 9 tokens; raise it with `garageswarm task budget 7 --tokens 18`
        ");
    }
}
