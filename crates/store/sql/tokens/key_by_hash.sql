SELECT key_id, kind, user_id, name, scopes, uses_left, created_at, expires_at, created_by, last_used_at, revoked_at
FROM keys
WHERE hash = $1
  AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > $2)
  AND (uses_left IS NULL OR uses_left > 0)
