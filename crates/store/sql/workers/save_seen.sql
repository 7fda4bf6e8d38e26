WITH new (worker_id, at, load, capabilities) AS (ROWS)
UPDATE workers
SET
    last_seen = new.at,
    load = new.load,
    capabilities = COALESCE(new.capabilities, workers.capabilities)
FROM new
WHERE workers.worker_id = new.worker_id
