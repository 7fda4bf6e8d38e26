UPDATE workers
SET shared = $2
WHERE worker_id = $1
  AND removed_at IS NULL
