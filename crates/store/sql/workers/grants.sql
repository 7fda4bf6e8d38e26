SELECT id, user_id, worker_id, role, is_active, added_at, limits
FROM user_workers
WHERE worker_id = $1
ORDER BY added_at, id
