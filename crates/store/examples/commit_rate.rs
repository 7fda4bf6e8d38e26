//! How many tasks a second the store carries from submitted to completed, with all their rows: insert with
//! the event, assign, accept and complete with attempts and events, in batches.
//!
//! `cargo run --release -p swarm-store --example commit_rate -- [sqlite:PATH | postgres://...] [TASKS] [BATCH]`
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::time::Instant;

use anyhow::Context as _;
use swarm_model::change::{
    AddUsage, AttemptStatus, Changes, EventKind, EventRecord, InsertTask, OpenAttempt, TaskHead, TaskRow,
    UpdateAttempt, UpdateTask,
};
use swarm_model::task::{RunRecord, TaskSpec};
use swarm_model::usage::{EndedAttempt, UsageSums};
use swarm_model::{
    Clock as _, EventId, TaskId, TaskNumber, TaskStatus, Timestamp, UserId, WorkerId, time::SystemClock,
};
use swarm_store::{DatabaseUrl, Holder, OpenOptions, Stores};

struct Maker {
    user: UserId,
    worker: WorkerId,
    next_event: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = tempfile::tempdir()?;
    let url: DatabaseUrl = match args.next() {
        Some(url) => url.parse()?,
        None => DatabaseUrl::in_folder(folder.path()),
    };
    let tasks: i64 = args.next().unwrap_or_else(|| "50000".to_owned()).parse()?;
    let batch: i64 = args.next().unwrap_or_else(|| "250".to_owned()).parse()?;

    let stores =
        Stores::open(&url, &OpenOptions::new(Holder::this_process("here", ""), folder.path().join("blobs"))).await?;
    let counters = stores.tasks.counters().await?;
    let mut maker = Maker {
        user: UserId::generate(&SystemClock),
        worker: WorkerId::generate(&SystemClock),
        next_event: counters.last_event.0 + 1,
    };
    let began = Instant::now();
    let mut slowest = std::time::Duration::ZERO;
    let mut commits = 0_u32;
    let first = counters.last_number.0 + 1;
    for start in (first..first + tasks).step_by(usize::try_from(batch)?) {
        let numbers = start..(start + batch).min(first + tasks);
        for changes in [maker.submit(numbers.clone()), maker.assign(numbers.clone()), maker.complete(numbers)] {
            let at = Instant::now();
            stores.tasks.commit(&changes).await?;
            slowest = slowest.max(at.elapsed());
            commits += 1;
        }
    }
    let took = began.elapsed();
    println!(
        "{url}: {tasks} tasks in batches of {batch}: {:.0} tasks/s, {:.2} ms a commit, slowest {:.1} ms",
        tasks as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e3 / f64::from(commits),
        slowest.as_secs_f64() * 1e3,
    );
    stores.housekeeping.close().await.context("closing")?;
    Ok(())
}

impl Maker {
    fn event(&mut self, number: i64, kind: EventKind, worker_id: Option<WorkerId>) -> EventRecord {
        self.next_event += 1;
        let attempt = worker_id.map(|_| 1);
        EventRecord {
            id: EventId(self.next_event),
            at: SystemClock.now(),
            kind,
            user_id: Some(self.user),
            number: Some(TaskNumber(number)),
            worker_id,
            attempt,
            detail: None,
        }
    }

    fn submit(&mut self, numbers: std::ops::Range<i64>) -> Changes {
        let mut changes = Changes::default();
        let now = SystemClock.now();
        for number in numbers {
            let spec = TaskSpec {
                description: "say hello to everybody who reads this".to_owned(),
                tool: "demo".parse().ok(),
                ..TaskSpec::default()
            };
            let head = TaskHead {
                task_id: TaskId::generate(&SystemClock),
                number: TaskNumber(number),
                user_id: self.user,
                workflow_id: None,
                run_id: None,
                node: None,
                spec,
                retry_of: None,
                idempotency_key: None,
                traceparent: None,
                created_at: now,
            };
            changes.inserts.push(InsertTask { head, row: row(1, TaskStatus::Queued, now) });
            changes.events.push(self.event(number, EventKind::TaskQueued, None));
        }
        changes
    }

    /// What so many runs used: nothing but time, as one sum.
    fn used(&self, runs: usize, now: Timestamp) -> Vec<AddUsage> {
        let Ok(tool) = "demo".parse() else { return Vec::new() };
        let record = RunRecord { duration_ms: Some(1), ..RunRecord::default() };
        let ended = EndedAttempt {
            user_id: self.user,
            worker_id: self.worker,
            tool: &tool,
            model: None,
            status: AttemptStatus::Completed,
            started_at: Some(now),
            ended_at: now,
            record: Some(&record),
        };
        let Some((key, one)) = ended.usage() else { return Vec::new() };
        let mut sums = UsageSums::default();
        (0..runs).for_each(|_| sums += one);
        vec![AddUsage { key, sums }]
    }

    fn assign(&mut self, numbers: std::ops::Range<i64>) -> Changes {
        let mut changes = Changes::default();
        let now = SystemClock.now();
        for number in numbers {
            let row = TaskRow { worker_id: Some(self.worker), attempt: 1, ..row(2, TaskStatus::Assigned, now) };
            changes.updates.push(UpdateTask { number: TaskNumber(number), row, result: None, spec: None });
            if let Ok(tool) = "demo".parse() {
                changes.opened.push(OpenAttempt {
                    number: TaskNumber(number),
                    attempt: 1,
                    worker_id: self.worker,
                    tool,
                    model: None,
                    assigned_at: now,
                });
            }
            changes.events.push(self.event(number, EventKind::TaskAssigned, Some(self.worker)));
        }
        changes
    }

    /// Accepted and completed within one commit, as a no-op job is.
    fn complete(&mut self, numbers: std::ops::Range<i64>) -> Changes {
        let mut changes = Changes::default();
        let now = SystemClock.now();
        for number in numbers {
            let row = TaskRow {
                worker_id: Some(self.worker),
                attempt: 1,
                started_at: Some(now),
                completed_at: Some(now),
                ..row(3, TaskStatus::Completed, now)
            };
            let result = Some(r#"{"text":"hello, everybody","usage":{"cost_kind":"none"}}"#.to_owned());
            changes.updates.push(UpdateTask { number: TaskNumber(number), row, result, spec: None });
            changes.attempts.push(UpdateAttempt {
                number: TaskNumber(number),
                attempt: 1,
                status: AttemptStatus::Completed,
                started_at: Some(now),
                ended_at: Some(now),
                failure_class: None,
                error: None,
                record: Some(r#"{"tool":"demo","duration_ms":1,"usage":{"cost_kind":"none"}}"#.to_owned()),
            });
            changes.events.push(self.event(number, EventKind::TaskRunning, Some(self.worker)));
            changes.events.push(self.event(number, EventKind::TaskCompleted, Some(self.worker)));
        }
        changes.usage = self.used(changes.attempts.len(), now);
        changes
    }
}

fn row(version: i64, status: TaskStatus, now: Timestamp) -> TaskRow {
    TaskRow {
        version,
        status,
        worker_id: None,
        attempt: 0,
        failures: 0,
        losses: 0,
        ready_at: now,
        started_at: None,
        completed_at: None,
        progress: None,
        wait_reason: None,
        wait_until: None,
        cancel_requested_at: None,
        failure_class: None,
        error: None,
        log_seq: 0,
        course: None,
    }
}
