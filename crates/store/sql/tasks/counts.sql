SELECT status, count(*) AS tasks FROM tasks GROUP BY status
