SELECT key_id, kind, user_id, name, scopes, uses_left, created_at, expires_at, created_by, last_used_at, revoked_at
FROM keys
WHERE key_id = $1
