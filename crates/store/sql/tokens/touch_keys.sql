-- Later uses only: notes may arrive out of order.
WITH new (id, at) AS (ROWS)
UPDATE keys
SET last_used_at = new.at
FROM new
WHERE keys.key_id = new.id
  AND (keys.last_used_at IS NULL OR keys.last_used_at < new.at)
