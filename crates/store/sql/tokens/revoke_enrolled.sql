-- What the keys enrolled ends with them.
UPDATE tokens
SET revoked_at = $2
WHERE key_id IN (SELECT value->>0 FROM jsonb_each($1))
  AND revoked_at IS NULL
RETURNING token_id, user_id, worker_id
