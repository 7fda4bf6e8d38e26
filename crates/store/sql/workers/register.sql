-- A new worker, or one that its owner enrols again. Another person's is left alone: no row is changed.
INSERT INTO workers (
    worker_id, machine_id, machine_name, owner, enrolled_by, capabilities, shared, paused, draining, registered_at, load
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, '{}')
ON CONFLICT (worker_id) DO UPDATE
SET
    machine_id = excluded.machine_id,
    machine_name = excluded.machine_name,
    enrolled_by = excluded.enrolled_by,
    capabilities = excluded.capabilities,
    shared = excluded.shared,
    draining = excluded.draining,
    registered_at = excluded.registered_at,
    removed_at = NULL
WHERE workers.owner = excluded.owner
