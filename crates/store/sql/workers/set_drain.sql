UPDATE workers
SET draining = $2
WHERE worker_id = $1
  AND removed_at IS NULL
