//! Things for tests.

use swarm_model::change::{AttemptStatus, EventKind, EventRecord};
use swarm_model::task::{Limits, OnLoss, Priority, Queue, Requirements, RetryPolicy, TaskInput};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{Capabilities, Load, Pauses};
use swarm_model::{AtLimit, EventId, TaskId, TaskNumber, TaskStatus, Timestamp, UserId, WorkerId, WorkerStatus};
use swarm_proto::client::ToViewer;
use swarm_proto::status::SwarmStatus;
use swarm_proto::tasks::{Attempt, Task};
use swarm_proto::workers::Worker;

use super::words::Moment;

/// 2026-11-20, 15:31:07.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_795_188_667_000_000);
pub(crate) const MOMENT: Moment = Moment { now: NOW, zone_minutes: 0 };

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() - seconds * 1_000_000)
}

fn id(text: &str, n: u64) -> String {
    let hash = text.bytes().fold(n, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("01980000-0000-7000-8000-{:012x}", hash & 0xffff_ffff_ffff)
}

pub(crate) fn task(number: i64, status: TaskStatus) -> Task {
    let n = number.unsigned_abs();
    let task_id: TaskId = id("task", n).parse().unwrap();
    let user_id: UserId = id("user", 0).parse().unwrap();
    let ran = !matches!(status, TaskStatus::Queued | TaskStatus::Waiting);
    Task {
        task_id,
        number: TaskNumber(number),
        user_id,
        worker_id: ran.then(|| worker("workbench").worker_id),
        workflow_id: None,
        run_id: None,
        node: None,
        description: format!("Task number {number}"),
        input: TaskInput::default(),
        tool: Some("claude-code".parse().unwrap()),
        model: None,
        role: None,
        cascade: Vec::new(),
        tries: Vec::new(),
        at_limit: AtLimit::Wait,
        repository: None,
        network: None,
        queue: Queue::User,
        requirements: Requirements::default(),
        limits: Limits::default(),
        retry: RetryPolicy::default(),
        on_loss: OnLoss::Requeue,
        status,
        progress: None,
        priority: Priority::default(),
        result: None,
        error: None,
        failure_class: None,
        wait_reason: None,
        wait_until: None,
        wait_detail: None,
        used: None,
        attempt: u32::from(ran),
        failures: 0,
        ready_at: ago(600),
        cancel_requested_at: None,
        log_seq: 0,
        version: 1,
        retry_of: None,
        idempotency_key: None,
        traceparent: None,
        created_at: ago(600),
        started_at: ran.then(|| ago(401)),
        completed_at: status.is_terminal().then(|| ago(60)),
        attempts: Vec::new(),
    }
}

pub(crate) fn attempt(n: u32, status: AttemptStatus) -> Attempt {
    Attempt {
        attempt: n,
        worker_id: worker("workbench").worker_id,
        tool: "claude-code".parse().unwrap(),
        model: None,
        status,
        outcome: None,
        assigned_at: ago(402),
        started_at: Some(ago(401)),
        ended_at: None,
        failure_class: None,
        error: None,
        retryable: None,
        record: None,
        has_late_result: false,
    }
}

pub(crate) fn status() -> SwarmStatus {
    SwarmStatus {
        version: "0.1.0".to_owned(),
        started_at: Timestamp::EPOCH,
        paused: false,
        tasks: Default::default(),
        workers: Default::default(),
        free_slots: 0,
        limits: Vec::new(),
        budgets: Vec::new(),
        short: Vec::new(),
    }
}

pub(crate) fn worker(name: &str) -> Worker {
    let worker_id: WorkerId = id(name, 1).parse().unwrap();
    Worker {
        worker_id,
        machine_id: name.to_owned(),
        machine_name: name.to_owned(),
        status: WorkerStatus::Online,
        pauses: Pauses::default(),
        owner_id: id("user", 0).parse().unwrap(),
        shared: false,
        role: None,
        capabilities: Capabilities {
            slots: 2,
            tools: vec![tool("demo", ToolHealth::Ready)],
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            memory_mb: 16_000,
            cpus: 8,
            agent_version: "0.1.0".to_owned(),
            labels: Default::default(),
            grants: Vec::new(),
            isolation: Default::default(),
        },
        running: 0,
        load: Load::default(),
        last_heartbeat: Some(ago(5)),
        registered_at: ago(86_400),
    }
}

pub(crate) fn tool(name: &str, health: ToolHealth) -> ToolInfo {
    ToolInfo {
        name: name.parse().unwrap(),
        version: None,
        health,
        models: Vec::new(),
        max_concurrent: None,
        account: None,
    }
}

pub(crate) fn event(kind: EventKind) -> EventRecord {
    EventRecord {
        id: EventId(1),
        at: NOW,
        kind,
        user_id: None,
        number: None,
        worker_id: None,
        attempt: None,
        detail: None,
    }
}

pub(crate) fn event_about(task: Task) -> ToViewer {
    let event = EventRecord { number: Some(task.number), ..event(EventKind::TaskRunning) };
    ToViewer::Event { event, task: Some(Box::new(task)), worker: None }
}
