DELETE FROM attempts
WHERE number IN (SELECT CAST(value->>0 AS BIGINT) FROM jsonb_each($1))
