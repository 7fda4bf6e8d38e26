SELECT number, first_seq, last_seq
FROM task_logs
WHERE number > $1
  AND number <= $2
ORDER BY number, first_seq
