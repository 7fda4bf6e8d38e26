//! Rows of the store as the wire shows them.

use swarm_model::change::{TaskHead, TaskRow};
use swarm_model::task::TaskResult;
use swarm_proto::tasks::Task;
use swarm_store::task::StoredTask;

/// A task as people and programs see it.
pub(crate) fn task(head: &TaskHead, row: &TaskRow, result: Option<TaskResult>) -> Task {
    let spec = &head.spec;
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
    }
}

/// A stored task as people and programs see it.
pub(crate) fn task_of(stored: StoredTask) -> Task {
    task(&stored.head, &stored.row, stored.result)
}
