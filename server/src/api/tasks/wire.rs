//! Rows of the store as the wire shows them.

use swarm_model::change::{AttemptOutcome, TaskHead, TaskRow};
use swarm_model::course::Spent;
use swarm_model::task::TaskResult;
use swarm_model::{FailureClass, TaskStatus};
use swarm_proto::tasks::{Attempt, Task};
use swarm_store::task::{StoredAttempt, StoredTask};

/// A task as people and programs see it.
pub(crate) fn task(head: &TaskHead, row: &TaskRow, result: Option<TaskResult>) -> Task {
    let (spec, course) = (&head.spec, row.course.as_deref());
    let used = course.map(|course| course.used).filter(|used| *used != Spent::default());
    let short = course.and_then(|course| course.short.as_ref());
    Task {
        task_id: head.task_id,
        number: head.number,
        user_id: head.user_id,
        worker_id: row.worker_id,
        workflow_id: head.workflow_id,
        run_id: head.run_id,
        node: head.node.clone(),
        description: spec.description.clone(),
        input: spec.input.clone(),
        tool: spec.tool.clone(),
        model: spec.model.clone(),
        role: spec.role,
        cascade: spec.cascade.clone(),
        tries: course.map(|course| course.tries.clone()).unwrap_or_default(),
        at_limit: spec.at_limit,
        repository: spec.repository.clone(),
        network: spec.network.clone(),
        queue: spec.queue,
        requirements: spec.requirements.clone(),
        limits: spec.limits.clone(),
        retry: spec.retry,
        on_loss: spec.on_loss,
        status: row.status,
        progress: row.progress,
        priority: spec.priority,
        result,
        error: row.error.clone(),
        failure_class: row.failure_class,
        wait_reason: row.wait_reason,
        wait_until: row.wait_until,
        wait_detail: short.filter(|_| row.status == TaskStatus::Waiting).map(|short| short.sentence.clone()),
        used,
        attempt: row.attempt,
        failures: row.failures,
        ready_at: row.ready_at,
        cancel_requested_at: row.cancel_requested_at,
        log_seq: row.log_seq,
        version: row.version,
        retry_of: head.retry_of,
        idempotency_key: head.idempotency_key.clone(),
        traceparent: head.traceparent.clone(),
        created_at: head.created_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
        attempts: Vec::new(),
    }
}

/// A stored task as people and programs see it.
pub(crate) fn task_of(stored: StoredTask) -> Task {
    task(&stored.head, &stored.row, stored.result)
}

/// An attempt with its record, as its task's user sees it.
pub(super) fn attempt(stored: StoredAttempt) -> Attempt {
    Attempt {
        attempt: stored.attempt,
        worker_id: stored.worker_id,
        tool: stored.tool,
        model: stored.model,
        status: stored.status,
        outcome: AttemptOutcome::of(stored.status, stored.failure_class),
        assigned_at: stored.assigned_at,
        started_at: stored.started_at,
        ended_at: stored.ended_at,
        failure_class: stored.failure_class,
        error: stored.error,
        retryable: stored.failure_class.map(FailureClass::is_retryable),
        record: stored.record,
        has_late_result: stored.late.is_some(),
    }
}
