-- Results that came too late, kept only where the attempt was that worker's and ended without a result of its own:
-- a repeat of an accepted one changes nothing, and neither does a second late one. The facts of the run become the
-- attempt's where none are known.
WITH new (task_id, attempt, worker_id, late, record) AS (ROWS)
UPDATE attempts
SET
    late = new.late,
    record = COALESCE(attempts.record, new.record)
FROM new
JOIN tasks ON tasks.task_id = new.task_id
WHERE attempts.number = tasks.number
  AND attempts.attempt = new.attempt
  AND attempts.worker_id = new.worker_id
  AND (attempts.status IN ('lost', 'cancelled', 'refused') OR (attempts.status = 'failed' AND attempts.record IS NULL))
  AND attempts.late IS NULL
