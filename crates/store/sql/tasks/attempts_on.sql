-- What ran on a worker, the newest first, among the tasks from $3 to below $2. There is no index for it: attempts are
-- written by the ten thousands a second, and read this way by a person now and then.
SELECT
    attempts.number, attempts.attempt, attempts.tool, attempts.model, attempts.status, attempts.assigned_at, attempts.started_at, attempts.ended_at, attempts.failure_class, attempts.record,
    tasks.task_id, tasks.user_id
FROM attempts
INNER JOIN tasks ON tasks.number = attempts.number
WHERE attempts.worker_id = $1
  AND attempts.number < $2
  AND attempts.number >= $3
ORDER BY attempts.number DESC, attempts.attempt DESC
LIMIT $4
