-- Writes of known tasks, each guarded by the version before it: the caller compares the number of changed rows.
-- A result stays until there is another one.
WITH new (
    number,
    version,
    status,
    attempt,
    failures,
    losses,
    log_seq,
    ready_at,
    worker_id,
    started_at,
    completed_at,
    result,
    progress,
    failure_class,
    error,
    wait_reason,
    wait_until,
    cancel_requested_at,
    course
) AS (ROWS)
UPDATE tasks
SET
    version = new.version,
    status = new.status,
    attempt = new.attempt,
    failures = new.failures,
    losses = new.losses,
    log_seq = new.log_seq,
    ready_at = new.ready_at,
    worker_id = new.worker_id,
    started_at = new.started_at,
    completed_at = new.completed_at,
    result = COALESCE(new.result, tasks.result),
    progress = new.progress,
    failure_class = new.failure_class,
    error = new.error,
    wait_reason = new.wait_reason,
    wait_until = new.wait_until,
    cancel_requested_at = new.cancel_requested_at,
    course = new.course
FROM new
WHERE tasks.number = new.number
  AND tasks.version = new.version - 1
