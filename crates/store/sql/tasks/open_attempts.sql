-- New assignments.
INSERT INTO attempts (
    number,
    attempt,
    worker_id,
    tool,
    status,
    assigned_at,
    model
)
ROWS
