INSERT INTO keys (key_id, kind, user_id, name, hash, scopes, uses_left, created_at, expires_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
