-- Sessions, command lines and links that are still open.
UPDATE tokens
SET revoked_at = $2
WHERE user_id = $1
  AND revoked_at IS NULL
  AND kind IN ('session', 'cli', 'sign_in')
  AND ($3 IS NULL OR token_id <> $3)
RETURNING token_id, user_id, worker_id
