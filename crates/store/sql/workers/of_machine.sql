SELECT worker_id
FROM workers
WHERE owner = $1
  AND machine_id = $2
  AND removed_at IS NULL
