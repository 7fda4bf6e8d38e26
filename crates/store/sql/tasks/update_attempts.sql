-- Writes of known attempts. What was known once stays known.
WITH new (number, attempt, status, started_at, ended_at, record, failure_class, error) AS (ROWS)
UPDATE attempts
SET
    status = new.status,
    started_at = COALESCE(new.started_at, attempts.started_at),
    ended_at = COALESCE(new.ended_at, attempts.ended_at),
    record = COALESCE(new.record, attempts.record),
    failure_class = COALESCE(new.failure_class, attempts.failure_class),
    error = COALESCE(new.error, attempts.error)
FROM new
WHERE attempts.number = new.number
  AND attempts.attempt = new.attempt
