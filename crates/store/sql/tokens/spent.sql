-- A token that was replaced, with its family if that has not ended.
SELECT
    spent_hashes.successor,
    spent_hashes.spent_at,
    tokens.token_id, tokens.kind, tokens.user_id, tokens.worker_id, tokens.key_id, tokens.name, tokens.scopes, tokens.created_at, tokens.expires_at, tokens.last_used_at
FROM spent_hashes
JOIN tokens ON tokens.token_id = spent_hashes.token_id
WHERE spent_hashes.hash = $1
  AND tokens.revoked_at IS NULL
  AND (tokens.expires_at IS NULL OR tokens.expires_at > $2)
