-- A page of the tasks that have not ended, with the highest line number of the current attempt that is stored.
SELECT
    number, task_id, user_id, created_at, description, spec, version, status, attempt, failures, losses, log_seq, ready_at,
    worker_id, started_at, completed_at, tool, progress, failure_class, error, wait_reason, wait_until,
    cancel_requested_at, idempotency_key, traceparent, retry_of, workflow_id, run_id, node,
    (
        SELECT max(task_logs.last_n)
        FROM task_logs
        WHERE task_logs.number = tasks.number AND task_logs.attempt = tasks.attempt
    ) AS log_received
FROM tasks
WHERE status IN ('queued', 'assigned', 'running', 'waiting')
  AND number > $1
ORDER BY number
LIMIT $2
