-- The family moves on, if this hash is its current one and it has not ended.
UPDATE tokens
SET
    hash = $3,
    expires_at = $4,
    last_used_at = $2
WHERE hash = $1
  AND kind = 'session'
  AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > $2)
RETURNING token_id, kind, user_id, worker_id, key_id, name, scopes, created_at, expires_at, last_used_at
