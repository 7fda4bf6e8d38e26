-- The next tasks that have a log.
SELECT tasks.number, tasks.created_at, tasks.completed_at
FROM tasks
WHERE number > $1
  AND created_at < $2
  AND log_seq > COALESCE(log_swept, 0)
ORDER BY number
LIMIT $3
