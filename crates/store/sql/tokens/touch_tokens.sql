-- Later uses only: notes may arrive out of order.
WITH new (id, at) AS (ROWS)
UPDATE tokens
SET last_used_at = new.at
FROM new
WHERE tokens.token_id = new.id
  AND (tokens.last_used_at IS NULL OR tokens.last_used_at < new.at)
