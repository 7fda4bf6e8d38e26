-- Writes of known tasks, each guarded by the version before it: the caller compares the number of changed rows.
-- A result stays until there is another one.
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
    cancel_requested_at = new.cancel_requested_at
FROM (
    SELECT
        CAST(value->>0 AS BIGINT) AS number,
        CAST(value->>1 AS BIGINT) AS version,
        value->>2 AS status,
        CAST(value->>3 AS BIGINT) AS attempt,
        CAST(value->>4 AS BIGINT) AS failures,
        CAST(value->>5 AS BIGINT) AS losses,
        CAST(value->>6 AS BIGINT) AS log_seq,
        CAST(value->>7 AS BIGINT) AS ready_at,
        value->>8 AS worker_id,
        CAST(value->>9 AS BIGINT) AS started_at,
        CAST(value->>10 AS BIGINT) AS completed_at,
        value->>11 AS result,
        CAST(value->>12 AS BIGINT) AS progress,
        value->>13 AS failure_class,
        value->>14 AS error,
        value->>15 AS wait_reason,
        CAST(value->>16 AS BIGINT) AS wait_until,
        CAST(value->>17 AS BIGINT) AS cancel_requested_at
    FROM jsonb_each($1)
) AS new
WHERE tasks.number = new.number
  AND tasks.version = new.version - 1
