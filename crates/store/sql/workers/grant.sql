INSERT INTO user_workers (id, user_id, worker_id, role, is_active, added_at, limits)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, worker_id) DO UPDATE
SET
    role = excluded.role,
    is_active = excluded.is_active,
    added_at = excluded.added_at,
    limits = excluded.limits
