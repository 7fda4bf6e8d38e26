-- Those of one's own tasks, of one's workers themselves, and those that concern everyone. What other people's tasks do on
-- one's workers is not among them.
SELECT id, at, kind, user_id, number, worker_id, attempt, detail
FROM events
WHERE id > $1
  AND (
      user_id = $3
      OR (user_id IS NULL AND (worker_id IS NULL OR worker_id IN (SELECT value->>0 FROM jsonb_each($4))))
  )
ORDER BY id
LIMIT $2
