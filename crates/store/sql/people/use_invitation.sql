-- One use less, if there is one left: the row is changed or it is not.
UPDATE invitations
SET uses_left = uses_left - 1
WHERE hash = $1
  AND revoked_at IS NULL
  AND expires_at > $2
  AND uses_left > 0
RETURNING role, invitation_id
