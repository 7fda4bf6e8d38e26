-- The oldest ones up to a number, but never the newest of all: it tells where counting goes on.
DELETE FROM events
WHERE id IN (
    SELECT id
    FROM (SELECT id, at FROM events ORDER BY id LIMIT $2) AS oldest
    WHERE at < $1
      AND id < (SELECT max(id) FROM events)
)
