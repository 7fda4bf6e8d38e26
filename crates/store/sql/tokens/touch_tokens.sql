-- Later uses only: notes may arrive out of order.
UPDATE tokens
SET last_used_at = new.at
FROM (SELECT value->>0 AS id, CAST(value->>1 AS BIGINT) AS at FROM jsonb_each($1)) AS new
WHERE tokens.token_id = new.id
  AND (tokens.last_used_at IS NULL OR tokens.last_used_at < new.at)
