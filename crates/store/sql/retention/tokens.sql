-- Those that ended before $1. What a key enrolled is remembered as long as the key.
DELETE FROM tokens
WHERE token_id IN (
    SELECT token_id
    FROM tokens
    WHERE revoked_at < $1
       OR expires_at < $1
    LIMIT $2
)
