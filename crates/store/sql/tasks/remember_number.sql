-- Numbers of removed tasks are not given out again.
INSERT INTO counters (name, value)
VALUES ('task_number', $1)
ON CONFLICT (name) DO UPDATE
SET value = CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END
