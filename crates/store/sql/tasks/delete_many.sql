-- Tasks that were seen to have ended; nothing leaves that state.
DELETE FROM tasks
WHERE number IN (SELECT CAST(value->>0 AS BIGINT) FROM jsonb_each($1))
