-- What happened, in order.
INSERT INTO events (
    id,
    at,
    kind,
    user_id,
    number,
    worker_id,
    attempt,
    detail
)
SELECT
    CAST(value->>0 AS BIGINT),
    CAST(value->>1 AS BIGINT),
    value->>2,
    value->>3,
    CAST(value->>4 AS BIGINT),
    value->>5,
    CAST(value->>6 AS BIGINT),
    value->>7
FROM jsonb_each($1)
