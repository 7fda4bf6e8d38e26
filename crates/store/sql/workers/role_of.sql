SELECT id, role
FROM user_workers
WHERE user_id = $1
  AND worker_id = $2
  AND is_active
