-- A link counts once.
UPDATE tokens
SET revoked_at = $2, last_used_at = $2
WHERE hash = $1
  AND kind = 'sign_in'
  AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > $2)
RETURNING token_id, user_id, scopes
