-- The last of the same name counts, as on the disk of the worker.
INSERT INTO artifacts (number, attempt, name, size, hash, created_at)
SELECT
    CAST(value->>0 AS BIGINT),
    CAST(value->>1 AS BIGINT),
    value->>2,
    CAST(value->>3 AS BIGINT),
    value->>4,
    CAST(value->>5 AS BIGINT)
FROM jsonb_each($1)
WHERE true
ON CONFLICT (number, attempt, name) DO UPDATE
SET
    size = excluded.size,
    hash = excluded.hash,
    created_at = excluded.created_at
