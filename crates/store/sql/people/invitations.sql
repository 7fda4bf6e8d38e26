SELECT invitation_id, role, created_by, created_at, uses_left, expires_at, revoked_at
FROM invitations
ORDER BY created_at DESC, invitation_id DESC
