SELECT
    tasks.number,
    tasks.log_seq,
    (SELECT min(task_logs.first_seq) FROM task_logs WHERE task_logs.number = tasks.number) AS oldest_seq
FROM tasks
WHERE number = $1
