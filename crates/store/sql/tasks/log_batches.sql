-- The next batches that hold a line after $2.
SELECT number, attempt, first_seq, last_seq, lines
FROM task_logs
WHERE number = $1
  AND last_seq > $2
ORDER BY first_seq
LIMIT $3
