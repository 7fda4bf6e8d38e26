INSERT INTO invitations (invitation_id, hash, role, created_by, created_at, uses_left, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
