-- Writes of known attempts. What was known once stays known.
UPDATE attempts
SET
    status = new.status,
    started_at = COALESCE(new.started_at, attempts.started_at),
    ended_at = COALESCE(new.ended_at, attempts.ended_at),
    record = COALESCE(new.record, attempts.record),
    failure_class = COALESCE(new.failure_class, attempts.failure_class),
    error = COALESCE(new.error, attempts.error)
FROM (
    SELECT
        CAST(value->>0 AS BIGINT) AS number,
        CAST(value->>1 AS BIGINT) AS attempt,
        value->>2 AS status,
        CAST(value->>3 AS BIGINT) AS started_at,
        CAST(value->>4 AS BIGINT) AS ended_at,
        value->>5 AS record,
        value->>6 AS failure_class,
        value->>7 AS error
    FROM jsonb_each($1)
) AS new
WHERE attempts.number = new.number
  AND attempts.attempt = new.attempt
