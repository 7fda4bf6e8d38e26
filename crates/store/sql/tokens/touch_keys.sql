-- Later uses only: notes may arrive out of order.
UPDATE keys
SET last_used_at = new.at
FROM (SELECT value->>0 AS id, CAST(value->>1 AS BIGINT) AS at FROM jsonb_each($1)) AS new
WHERE keys.key_id = new.id
  AND (keys.last_used_at IS NULL OR keys.last_used_at < new.at)
