-- The condition on null lets the partial index be used.
SELECT
    number, task_id, user_id, created_at, description, spec, version, status, attempt, failures, losses, log_seq, ready_at,
    worker_id, started_at, completed_at, tool, progress, failure_class, error, wait_reason, wait_until,
    cancel_requested_at, idempotency_key, traceparent, retry_of, workflow_id, run_id, node,
    result
FROM tasks
WHERE idempotency_key IS NOT NULL
  AND (user_id, idempotency_key) IN (SELECT value->>0, value->>1 FROM jsonb_each($1))
