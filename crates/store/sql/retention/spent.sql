-- What is older than this is unknown when it is shown again, and no less refused.
DELETE FROM spent_hashes
WHERE hash IN (SELECT hash FROM spent_hashes WHERE spent_at < $1 LIMIT $2)
