UPDATE user_workers
SET is_active = $2
WHERE worker_id = $1
