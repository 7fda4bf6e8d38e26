SELECT status, count(*) AS tasks FROM tasks WHERE user_id = $1 GROUP BY status
