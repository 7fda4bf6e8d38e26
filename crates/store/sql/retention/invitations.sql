DELETE FROM invitations
WHERE invitation_id IN (
    SELECT invitation_id
    FROM invitations
    WHERE revoked_at < $1
       OR expires_at < $1
    LIMIT $2
)
