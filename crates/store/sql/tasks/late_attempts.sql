-- The attempts of which nothing is known yet and which results that came too late are about. The conditions are those
-- of `keep_late`.
WITH asked (task_id, attempt, worker_id) AS (ROWS)
SELECT
    attempts.number,
    attempts.attempt,
    attempts.worker_id,
    attempts.tool,
    attempts.model,
    attempts.status,
    attempts.started_at,
    attempts.ended_at,
    tasks.task_id,
    tasks.user_id
FROM asked
JOIN tasks ON tasks.task_id = asked.task_id
JOIN attempts ON attempts.number = tasks.number AND attempts.attempt = asked.attempt
WHERE attempts.worker_id = asked.worker_id
  AND attempts.status IN ('lost', 'cancelled', 'refused', 'failed')
  AND attempts.late IS NULL
  AND attempts.record IS NULL
