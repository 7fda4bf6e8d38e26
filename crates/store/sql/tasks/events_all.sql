SELECT id, at, kind, user_id, number, worker_id, attempt, detail
FROM events
WHERE id > $1
ORDER BY id
LIMIT $2
