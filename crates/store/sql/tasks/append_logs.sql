-- Batches of lines. The compressed lines of all of them are one argument; each row says where its part lies,
-- counted from 1.
INSERT INTO task_logs (
    number,
    attempt,
    first_seq,
    last_seq,
    first_n,
    last_n,
    lines
)
SELECT
    CAST(value->>0 AS BIGINT),
    CAST(value->>1 AS BIGINT),
    CAST(value->>2 AS BIGINT),
    CAST(value->>3 AS BIGINT),
    CAST(value->>4 AS BIGINT),
    CAST(value->>5 AS BIGINT),
    substr($2, CAST(value->>6 AS INTEGER), CAST(value->>7 AS INTEGER))
FROM jsonb_each($1)
