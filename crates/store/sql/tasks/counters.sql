-- The highest numbers ever given out; those of removed rows are remembered apart.
SELECT
    COALESCE((SELECT max(number) FROM tasks), 0) AS last_number,
    COALESCE((SELECT max(id) FROM events), 0) AS last_event,
    COALESCE((SELECT value FROM counters WHERE name = 'task_number'), 0) AS removed_number
