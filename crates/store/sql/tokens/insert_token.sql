INSERT INTO tokens (token_id, kind, user_id, worker_id, key_id, name, hash, scopes, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
