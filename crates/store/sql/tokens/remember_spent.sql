INSERT INTO spent_hashes (hash, token_id, successor, spent_at)
VALUES ($1, $2, $3, $4)
