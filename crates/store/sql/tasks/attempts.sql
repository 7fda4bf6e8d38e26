SELECT
    number, attempt, worker_id, tool, model, status, assigned_at, started_at, ended_at, failure_class, error, record, late
FROM attempts
WHERE number = $1
ORDER BY attempt
