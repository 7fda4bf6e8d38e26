-- Results that came too late, kept only where the attempt was that worker's and ended without a result:
-- a repeat of an accepted one changes nothing, and neither does a second late one.
UPDATE attempts
SET late = new.late
FROM (
    SELECT
        tasks.number,
        CAST(value->>1 AS BIGINT) AS attempt,
        value->>2 AS worker_id,
        value->>3 AS late
    FROM jsonb_each($1)
    JOIN tasks ON tasks.task_id = value->>0
) AS new
WHERE attempts.number = new.number
  AND attempts.attempt = new.attempt
  AND attempts.worker_id = new.worker_id
  AND attempts.status IN ('lost', 'cancelled', 'refused')
  AND attempts.late IS NULL
