-- With $2, every worker; otherwise those with a role of the user, and shared ones.
SELECT
    workers.worker_id, workers.machine_id, workers.machine_name, workers.owner, workers.enrolled_by, workers.capabilities, workers.shared, workers.paused, workers.draining, workers.registered_at, workers.last_seen, workers.load, workers.removed_at,
    user_workers.role
FROM workers
LEFT JOIN user_workers
    ON user_workers.worker_id = workers.worker_id
    AND user_workers.user_id = $1
    AND user_workers.is_active
WHERE workers.removed_at IS NULL
  AND ($2 OR workers.shared OR user_workers.role IS NOT NULL)
ORDER BY workers.machine_name, workers.worker_id
