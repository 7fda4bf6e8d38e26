-- The next tasks by number, which is the order in which they were submitted: none that comes after a task
-- younger than $2 can have ended before $2.
SELECT number, created_at, completed_at
FROM tasks
WHERE number > $1
  AND created_at < $2
ORDER BY number
LIMIT $3
