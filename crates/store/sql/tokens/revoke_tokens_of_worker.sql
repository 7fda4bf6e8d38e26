UPDATE tokens
SET revoked_at = $2
WHERE worker_id = $1
  AND revoked_at IS NULL
RETURNING token_id, user_id, worker_id
