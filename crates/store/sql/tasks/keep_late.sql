-- Results that came too late, kept only where the attempt was that worker's and ended without a result:
-- a repeat of an accepted one changes nothing, and neither does a second late one.
WITH new (task_id, attempt, worker_id, late) AS (ROWS)
UPDATE attempts
SET late = new.late
FROM new
JOIN tasks ON tasks.task_id = new.task_id
WHERE attempts.number = tasks.number
  AND attempts.attempt = new.attempt
  AND attempts.worker_id = new.worker_id
  AND attempts.status IN ('lost', 'cancelled', 'refused')
  AND attempts.late IS NULL
