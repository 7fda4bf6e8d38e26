UPDATE user_workers
SET is_active = $3
WHERE user_id = $1
  AND worker_id = $2
  AND is_active
