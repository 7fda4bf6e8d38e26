-- New assignments.
INSERT INTO attempts (
    number,
    attempt,
    worker_id,
    tool,
    status,
    assigned_at,
    model
)
SELECT
    CAST(value->>0 AS BIGINT),
    CAST(value->>1 AS BIGINT),
    value->>2,
    value->>3,
    value->>4,
    CAST(value->>5 AS BIGINT),
    value->>6
FROM jsonb_each($1)
