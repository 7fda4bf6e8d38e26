-- Counters only ever grow.
INSERT INTO counters (name, value)
VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE
SET value = CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END
