//! Tasks told step by step: each step gives the changes that a coordinator would commit.

use std::sync::atomic::{AtomicI64, Ordering};

use swarm_model::change::{
    AddUsage, AppendLog, AttemptStatus, Changes, EventKind, EventRecord, InsertTask, OpenAttempt, TaskHead, TaskRow,
    UpdateAttempt, UpdateTask,
};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::task::{RunRecord, TaskSpec};
use swarm_model::usage::EndedAttempt;
use swarm_model::{EventId, FailureClass, TaskId, TaskNumber, TaskStatus, Timestamp, ToolName, UserId, WorkerId};
use uuid::Uuid;

use crate::audit::AuditEntry;

pub(crate) const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) fn uuid(kind: u128, n: u128) -> Uuid {
    Uuid::from_u128((kind << 64) | n)
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::from_uuid(uuid(1, n))
}

pub(crate) fn worker(n: u128) -> WorkerId {
    WorkerId::from_uuid(uuid(2, n))
}

pub(crate) fn task_id(number: i64) -> TaskId {
    TaskId::from_uuid(uuid(3, number as u128))
}

pub(crate) fn demo() -> ToolName {
    ToolName::DEMO.parse().unwrap()
}

pub(crate) fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        at: START,
        actor: "user:ann".to_owned(),
        action: action.to_owned(),
        subject: "thing".to_owned(),
        detail: Some(serde_json::json!({"before": 1, "after": 2})),
        from_address: Some("127.0.0.1".to_owned()),
    }
}

pub(crate) fn spec(description: &str) -> TaskSpec {
    TaskSpec { description: description.to_owned(), tool: Some(demo()), ..TaskSpec::default() }
}

/// One task and what happens to it. Events are numbered over all stories of a test.
#[derive(Debug, Clone)]
pub(crate) struct Story<'a> {
    events: &'a AtomicI64,
    pub(crate) head: TaskHead,
    pub(crate) row: TaskRow,
    tool: ToolName,
    began_at: Option<Timestamp>,
    now: Timestamp,
}

impl<'a> Story<'a> {
    pub(crate) fn new(number: i64, events: &'a AtomicI64) -> Self {
        let head = TaskHead {
            task_id: task_id(number),
            number: TaskNumber(number),
            user_id: user(1),
            workflow_id: None,
            run_id: None,
            node: None,
            spec: spec(&format!("task {number}")),
            retry_of: None,
            idempotency_key: None,
            traceparent: None,
            created_at: START,
        };
        let row = TaskRow {
            version: 1,
            status: TaskStatus::Queued,
            worker_id: None,
            attempt: 0,
            failures: 0,
            losses: 0,
            ready_at: START,
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
        };
        Self { events, head, row, tool: demo(), began_at: None, now: START }
    }

    /// Lets everything from here on happen at `now`.
    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self.head.created_at = now;
        self
    }

    pub(crate) fn of(mut self, user: UserId) -> Self {
        self.head.user_id = user;
        self
    }

    pub(crate) fn says(mut self, description: &str) -> Self {
        self.head.spec.description = description.to_owned();
        self
    }

    /// Lets what follows happen at `now`.
    pub(crate) fn later(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Is given out with this tool from here on.
    pub(crate) fn with_tool(mut self, tool: &str) -> Self {
        self.tool = tool.parse().unwrap();
        self
    }

    pub(crate) fn keyed(mut self, key: &str) -> Self {
        self.head.idempotency_key = Some(key.to_owned());
        self
    }

    pub(crate) fn number(&self) -> TaskNumber {
        self.head.number
    }

    fn event(&self, kind: EventKind) -> EventRecord {
        EventRecord {
            id: EventId(self.events.fetch_add(1, Ordering::Relaxed) + 1),
            at: self.now,
            kind,
            user_id: Some(self.head.user_id),
            number: Some(self.number()),
            worker_id: self.row.worker_id,
            attempt: (self.row.attempt > 0).then_some(self.row.attempt),
            detail: None,
        }
    }

    pub(crate) fn submit(&self) -> Changes {
        Changes {
            inserts: vec![InsertTask { head: self.head.clone(), row: self.row.clone() }],
            events: vec![self.event(EventKind::TaskQueued)],
            ..Changes::default()
        }
    }

    fn update(&mut self, status: TaskStatus) -> UpdateTask {
        self.row.version += 1;
        self.row.status = status;
        if status.is_terminal() {
            self.row.completed_at = Some(self.now);
        }
        UpdateTask { number: self.number(), row: self.row.clone(), result: None, spec: None }
    }

    fn attempt(&self, status: AttemptStatus) -> UpdateAttempt {
        UpdateAttempt {
            number: self.number(),
            attempt: self.row.attempt,
            status,
            started_at: None,
            ended_at: None,
            failure_class: None,
            error: None,
            record: None,
        }
    }

    pub(crate) fn assign(&mut self, to: WorkerId) -> Changes {
        self.row.attempt += 1;
        self.row.worker_id = Some(to);
        self.began_at = None;
        let opened = OpenAttempt {
            number: self.number(),
            attempt: self.row.attempt,
            worker_id: to,
            tool: self.tool.clone(),
            model: Some("small".to_owned()),
            assigned_at: self.now,
        };
        Changes {
            updates: vec![self.update(TaskStatus::Assigned)],
            opened: vec![opened],
            events: vec![self.event(EventKind::TaskAssigned)],
            ..Changes::default()
        }
    }

    pub(crate) fn run(&mut self) -> Changes {
        self.row.started_at = Some(self.now);
        self.began_at = Some(self.now);
        Changes {
            updates: vec![self.update(TaskStatus::Running)],
            attempts: vec![UpdateAttempt { started_at: Some(self.now), ..self.attempt(AttemptStatus::Running) }],
            events: vec![self.event(EventKind::TaskRunning)],
            ..Changes::default()
        }
    }

    /// The next lines of the current attempt, whose last one had number `after_n`.
    pub(crate) fn say(&mut self, after_n: u64, texts: &[&str]) -> Changes {
        let first_seq = self.row.log_seq + 1;
        self.row.log_seq += texts.len() as u64;
        let line = |(n, text): (u64, &&str)| LogLine {
            n,
            stream: LogStream::Text,
            text: (*text).to_owned(),
            data: None,
            at: self.now,
        };
        let lines = (after_n + 1..).zip(texts).map(line).collect();
        let log = AppendLog { number: self.number(), attempt: self.row.attempt, first_seq, lines };
        let update = self.update(self.row.status);
        Changes { updates: vec![update], logs: vec![log], ..Changes::default() }
    }

    pub(crate) fn complete(&mut self, text: &str) -> Changes {
        let result = serde_json::json!({"text": text, "usage": {"cost_kind": "none"}}).to_string();
        let mut update = self.update(TaskStatus::Completed);
        update.result = Some(result);
        let record = RunRecord { tool: Some(self.tool.clone()), duration_ms: Some(7), ..RunRecord::default() };
        let usage = self.used(AttemptStatus::Completed, Some(&record));
        let record = Some(serde_json::to_string(&record).unwrap());
        let attempt = UpdateAttempt { ended_at: Some(self.now), record, ..self.attempt(AttemptStatus::Completed) };
        Changes {
            updates: vec![update],
            attempts: vec![attempt],
            usage,
            events: vec![self.event(EventKind::TaskCompleted)],
            ..Changes::default()
        }
    }

    /// What the current attempt adds to the sums when it ends like this.
    fn used(&self, status: AttemptStatus, record: Option<&RunRecord>) -> Vec<AddUsage> {
        let ended = EndedAttempt {
            user_id: self.head.user_id,
            worker_id: self.row.worker_id.unwrap(),
            tool: &self.tool,
            model: Some("small"),
            status,
            started_at: self.began_at,
            ended_at: self.now,
            record,
        };
        ended.usage().map(|(key, sums)| AddUsage { key, sums }).into_iter().collect()
    }

    /// The current attempt ends with these facts, and with it the task.
    pub(crate) fn end(&mut self, status: AttemptStatus, record: Option<&RunRecord>) -> Changes {
        let ended = match status {
            AttemptStatus::Completed => TaskStatus::Completed,
            AttemptStatus::Cancelled => TaskStatus::Cancelled,
            _ => TaskStatus::Failed,
        };
        let text = record.map(|record| serde_json::to_string(record).unwrap());
        let attempt = UpdateAttempt { ended_at: Some(self.now), record: text, ..self.attempt(status) };
        Changes {
            updates: vec![self.update(ended)],
            attempts: vec![attempt],
            usage: self.used(status, record),
            ..Changes::default()
        }
    }

    /// The worker vanishes and the task is queued again.
    pub(crate) fn lose(&mut self) -> Changes {
        let lost = UpdateAttempt {
            ended_at: Some(self.now),
            failure_class: Some(FailureClass::Lost),
            error: Some("the worker vanished".to_owned()),
            ..self.attempt(AttemptStatus::Lost)
        };
        self.row.losses += 1;
        let usage = self.used(AttemptStatus::Lost, None);
        Changes {
            updates: vec![self.update(TaskStatus::Queued)],
            attempts: vec![lost],
            usage,
            events: vec![self.event(EventKind::TaskRequeued)],
            ..Changes::default()
        }
    }

    pub(crate) fn cancel(&mut self) -> Changes {
        Changes {
            updates: vec![self.update(TaskStatus::Cancelled)],
            events: vec![self.event(EventKind::TaskCancelled)],
            ..Changes::default()
        }
    }
}

/// Several changes as one commit.
pub(crate) fn together(parts: impl IntoIterator<Item = Changes>) -> Changes {
    let mut all = Changes::default();
    for part in parts {
        all.inserts.extend(part.inserts);
        all.updates.extend(part.updates);
        all.opened.extend(part.opened);
        all.attempts.extend(part.attempts);
        all.usage.extend(part.usage);
        all.logs.extend(part.logs);
        all.late.extend(part.late);
        all.events.extend(part.events);
    }
    all
}
