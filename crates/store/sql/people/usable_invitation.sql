SELECT invitation_id, role, created_by, created_at, uses_left, expires_at, revoked_at
FROM invitations
WHERE hash = $1
  AND revoked_at IS NULL
  AND expires_at > $2
  AND uses_left > 0
