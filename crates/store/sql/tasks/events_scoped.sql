-- Those of one's own tasks and of one's workers, and those that concern everyone.
SELECT id, at, kind, user_id, number, worker_id, attempt, detail
FROM events
WHERE id > $1
  AND (
      user_id = $3
      OR worker_id IN (SELECT value->>0 FROM jsonb_each($4))
      OR (user_id IS NULL AND worker_id IS NULL)
  )
ORDER BY id
LIMIT $2
