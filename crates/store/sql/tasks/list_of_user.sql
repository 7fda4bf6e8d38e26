-- The newest tasks that fit, of one user: a file of its own, because it has an index of its own.
SELECT
    number, task_id, user_id, created_at, description, spec, version, status, attempt, failures, losses, log_seq, ready_at,
    worker_id, started_at, completed_at, tool, progress, failure_class, error, wait_reason, wait_until,
    cancel_requested_at, idempotency_key, traceparent, retry_of, workflow_id, run_id, node, course
FROM tasks
WHERE number < $1
  AND user_id = $9
  AND ($3 IS NULL OR status IN (SELECT value->>0 FROM jsonb_each($3)))
  AND ($4 IS NULL OR tool = $4)
  AND ($5 IS NULL OR worker_id = $5)
  -- The pattern's own signs are escaped by \.
  AND ($6 IS NULL OR lower(description) LIKE lower($6) ESCAPE '\')
  AND ($7 IS NULL OR created_at >= $7)
  AND ($8 IS NULL OR created_at < $8)
ORDER BY number DESC
LIMIT $2
