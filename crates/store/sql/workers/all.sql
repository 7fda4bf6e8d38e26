SELECT
    worker_id, machine_id, machine_name, owner, enrolled_by, capabilities, shared, paused, draining, registered_at, last_seen, load,
    removed_at
FROM workers
WHERE removed_at IS NULL
ORDER BY machine_name, worker_id
