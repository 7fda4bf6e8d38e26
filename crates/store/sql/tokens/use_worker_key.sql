-- One use less, if there is one left; a key without a bound has no number.
UPDATE keys
SET uses_left = uses_left - 1, last_used_at = $2
WHERE key_id = $1
  AND kind = 'worker'
  AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > $2)
  AND (uses_left IS NULL OR uses_left > 0)
