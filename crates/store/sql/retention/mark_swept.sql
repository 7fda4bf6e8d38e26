UPDATE tasks
SET log_swept = log_seq
WHERE number IN (SELECT CAST(value->>0 AS BIGINT) FROM jsonb_each($1))
