SELECT token_id, kind, user_id, worker_id, key_id, name, scopes, created_at, expires_at, last_used_at
FROM tokens
WHERE user_id = $1
  AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > $2)
ORDER BY created_at DESC, token_id DESC
