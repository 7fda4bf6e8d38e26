UPDATE workers
SET paused = $2
WHERE worker_id = $1
  AND removed_at IS NULL
