SELECT DISTINCT hash
FROM artifacts
WHERE hash IN (SELECT value->>0 FROM jsonb_each($1))
