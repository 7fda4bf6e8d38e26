UPDATE invitations
SET revoked_at = COALESCE(revoked_at, $2)
WHERE invitation_id = $1
