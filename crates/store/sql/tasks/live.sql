-- A page of the tasks that have not ended, with the highest line number of the current attempt that is stored, and that
-- attempt where a worker has the task.
SELECT
    tasks.number, tasks.task_id, tasks.user_id, tasks.created_at, tasks.description, tasks.spec, tasks.version, tasks.status, tasks.attempt, tasks.failures, tasks.losses, tasks.log_seq, tasks.ready_at,
    tasks.worker_id, tasks.started_at, tasks.completed_at, tasks.tool, tasks.progress, tasks.failure_class, tasks.error, tasks.wait_reason, tasks.wait_until,
    tasks.cancel_requested_at, tasks.idempotency_key, tasks.traceparent, tasks.retry_of, tasks.workflow_id, tasks.run_id, tasks.node, tasks.course,
    (
        SELECT max(task_logs.last_n)
        FROM task_logs
        WHERE task_logs.number = tasks.number AND task_logs.attempt = tasks.attempt
    ) AS log_received,
    attempts.tool AS open_tool,
    attempts.model AS open_model,
    attempts.started_at AS open_started_at
FROM tasks
LEFT JOIN attempts
    ON attempts.number = tasks.number
    AND attempts.attempt = tasks.attempt
    AND tasks.status IN ('assigned', 'running')
WHERE tasks.status IN ('queued', 'assigned', 'running', 'waiting')
  AND tasks.number > $1
ORDER BY tasks.number
LIMIT $2
