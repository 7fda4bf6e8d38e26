SELECT
    number, task_id, user_id, created_at, description, spec, version, status, attempt, failures, losses, log_seq, ready_at,
    worker_id, started_at, completed_at, tool, progress, failure_class, error, wait_reason, wait_until,
    cancel_requested_at, idempotency_key, traceparent, retry_of, workflow_id, run_id, node, course,
    result
FROM tasks
WHERE number = $1
