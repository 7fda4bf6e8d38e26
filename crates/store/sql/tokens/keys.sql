SELECT key_id, kind, user_id, name, scopes, uses_left, created_at, expires_at, created_by, last_used_at, revoked_at
FROM keys
WHERE $1 IS NULL OR user_id = $1
ORDER BY created_at DESC, key_id DESC
